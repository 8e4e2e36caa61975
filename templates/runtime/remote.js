// The same API with everything in a worker: the page's thread stays free. One worker serves all models of a page and
// ends with the last, which gives back the wasm heap that onnxruntime never shrinks.

import { MbundleError, advised } from "./errors.js";
import { fitFeeds } from "./feeds.js";
import { loadEntry } from "./load.js";
import { placeOf } from "./place.js";
import { openWorker } from "./worker-check.js";

/** @typedef {{worker: Worker, calls: Map<number, Call>, listeners: Map<number, (progress: any) => void>, models: number, closed: boolean}} Office */
/** @typedef {{resolve: (value: any) => void, reject: (error: unknown) => void}} Call */

/** @type {Promise<Office | undefined> | undefined} */
let office;
let last = 0;
let told = false;

/**
 * @param {import("./types.d.ts").Spec} spec
 * @param {import("./types.d.ts").LoadOptions} options
 * @returns {Promise<import("./types.d.ts").Model>}
 */
export async function loadRemote(spec, options) {
  const { signal, onProgress, ort, worker: _, ...rest } = options;
  signal?.throwIfAborted();
  const movable = ort === undefined || (typeof ort === "object" && !("Tensor" in ort));
  const open = movable ? await (office ??= openOffice()) : undefined;
  if (!open) return here(spec, options, movable ? "this page cannot start a worker" : "the app's own onnxruntime-web module cannot be moved into a worker (give `ort` as URLs)");
  const { canStartWorker, ...sent } = spec;
  const urls = ort ?? ortUrls();
  return enter(open, { spec: sent, options: { ...rest, ort: urls, progress: Boolean(onProgress) }, base: placeOf(spec) }, onProgress, signal);
}

/** @param {import("./types.d.ts").Spec} spec @param {import("./types.d.ts").LoadOptions} options @param {string} why */
function here(spec, options, why) {
  if (!told) console.warn(`mbundle: ${why}; models run in the page's own thread`);
  told = true;
  return loadEntry(spec, options);
}

/** Workers have no import map: what the page's says about onnxruntime-web is found here. A bundler has put it into the worker's own file instead. */
function ortUrls() {
  const { resolve } = import.meta;
  /** @type {Record<string, string>} */
  const urls = {};
  for (const build of ["wasm", "jspi", "webgpu"]) {
    try {
      urls[build] = resolve(`onnxruntime-web/${build}`);
    } catch {
      // not in an import map
    }
  }
  return urls;
}

/** @returns {Promise<Office | undefined>} */
async function openOffice() {
  const worker = await openWorker();
  if (!worker) return undefined;
  /** @type {Office} */
  const opened = { worker, calls: new Map(), listeners: new Map(), models: 0, closed: false };
  worker.onmessage = ({ data: { id, progress, value, error } }) => {
    if (progress) return opened.listeners.get(id)?.(progress);
    const call = opened.calls.get(id);
    opened.calls.delete(id);
    if (error) call?.reject(revive(error));
    else call?.resolve(value);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    close(opened, new MbundleError("ort", `The worker of the models ended (${event.message ?? "out of memory?"}).`));
  };
  return opened;
}

/** @param {Office} given @param {MbundleError} error told to all who wait */
function close(given, error) {
  if (given.closed) return;
  given.closed = true;
  given.worker.terminate();
  office = undefined;
  for (const { reject } of given.calls.values()) reject(error);
  given.calls.clear();
}

/** Waits for what is still being stored. @param {Office} given */
async function leave(given) {
  given.models--;
  if (given.models === 0) await ask(given, { call: "rest" }).answer.catch(() => {});
  if (given.models === 0) close(given, new MbundleError("disposed", "The model has been disposed of."));
}

/**
 * @param {Office} to @param {Record<string, unknown>} message @param {(progress: any) => void} [onProgress] @param {AbortSignal} [signal]
 * @returns {{id: number, answer: Promise<any>}}
 */
function ask(to, message, onProgress, signal) {
  const id = ++last;
  const answer = new Promise((resolve, reject) => {
    to.calls.set(id, { resolve, reject });
    if (onProgress) to.listeners.set(id, onProgress); // stages come after the model is there
    to.worker.postMessage({ ...message, id });
    const stop = () => {
      to.worker.postMessage({ call: "abort", id });
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
  return { id, answer };
}

/**
 * @param {Office} to @param {Record<string, any>} message @param {((progress: any) => void) | undefined} onProgress @param {AbortSignal | undefined} signal
 * @returns {Promise<import("./types.d.ts").Model>}
 */
async function enter(to, message, onProgress, signal) {
  to.models++;
  const { id, answer } = ask(to, { call: "load", ...message }, onProgress, signal);
  try {
    const { info, inputs, outputs, generation } = await answer;
    const model = modelOf(to, id, info, { inputs, outputs }, message.options);
    return generation ? Object.assign(model, writerOf(to, id, info, generation)) : model;
  } catch (error) {
    to.listeners.delete(id);
    void leave(to);
    throw error;
  }
}

/** @param {Office} to @param {number} model @param {import("./types.d.ts").Info} info @param {import("./types.d.ts").Signature} ports @param {{outputs?: readonly string[]}} wish @returns {import("./types.d.ts").Model} */
function modelOf(to, model, info, ports, { outputs }) {
  /** @type {Promise<void> | undefined} */
  let disposed;
  /** @param {Record<string, unknown>} feeds @param {import("./types.d.ts").RunOptions<any>} [options] */
  const run = async (feeds, options) => {
    if (disposed) throw new MbundleError("disposed", `${info.entry} has been disposed of.`);
    // Some outputs may do without some inputs; which, the worker knows.
    const inputs = options?.outputs ?? outputs ? ports.inputs.filter(({ name }) => Object.hasOwn(feeds, name)) : ports.inputs;
    return ask(to, { call: "run", model, feeds: Object.fromEntries(fitFeeds(inputs, feeds)), options }).answer;
  };
  return {
    info,
    ...ports,
    run: /** @param {any} feeds @param {any} [options] @returns {Promise<any>} */ (feeds, options) => advised(run(feeds, options), info.entry),
    onUpdate: () => () => {},
    dispose: () => (disposed ??= ask(to, { call: "dispose", model }).answer.then(() => void (to.listeners.delete(model), leave(to)))),
  };
}

/** @param {Office} to @param {number} model @param {import("./types.d.ts").Info} info @param {import("./types.d.ts").Generation} generation @returns {import("./types.d.ts").Generative} */
function writerOf(to, model, { entry }, generation) {
  /** @param {import("./types.d.ts").GenerateOptions} options */
  const generate = async ({ signal, onToken, ...options }) => {
    signal?.throwIfAborted();
    const failed = new AbortController();
    const until = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
    const tell = (/** @type {[number, number]} */ token) => {
      try {
        if (!until.aborted) onToken?.(...token);
      } catch (error) {
        failed.abort(error);
      }
    };
    return ask(to, { call: "generate", model, options, tells: Boolean(onToken) }, tell, until).answer;
  };
  return { generation, generate: (options) => advised(generate(options), entry) };
}

/** @param {any} error */
function revive({ name, message, stack, code, what, ...about }) {
  if (name === "MbundleError") return Object.assign(new MbundleError(code, what, about), { stack });
  return Object.assign(new Error(message), { name, stack });
}
