// The other side of remote.js: loads and runs models for a page.

import { stored } from "./acquire.js";
import { answering } from "./answering.js";
import { loadEntry } from "./load.js";
import { setBase } from "./place.js";
import { hooks } from "./store.js";

/** @type {Map<number, Promise<import("./types.d.ts").Model>>} by the id of the call that loaded it */
const models = new Map();
/** What can be aborted, by its call; of a load also after it: stages may be under way. @type {Map<number, AbortController>} */
const running = new Map();
const scope = /** @type {any} */ (globalThis);
// By its own address: a bundler that is told the file would put a worker into itself.
hooks.openWorker = () => answering(() => new Worker(location.href, { type: "module", name: "mbundle-files" }));

/** @type {Record<string, (id: number, message: any) => unknown>} */
const CALLS = {
  hello: () => true,
  rest: stored,
  async keep(_, { sha256, bytes }) {
    await (await import("./opfs.js")).keep(sha256, bytes);
    return { bytes: { data: bytes } };
  },
  load: async (id, { spec, options, base }) => {
    setBase(base);
    const onProgress = options.progress ? (/** @type {any} */ progress) => scope.postMessage({ id, progress }) : undefined;
    const controller = new AbortController();
    running.set(id, controller);
    const model = loadEntry(spec, { ...options, onProgress, signal: controller.signal });
    models.set(id, model);
    const { info, inputs, outputs, generation } = /** @type {any} */ (await model);
    return { info: { ...info, worker: true }, inputs, outputs, generation };
  },
  generate: (id, { model, options, tells }) =>
    abortable(id, async (signal) => {
      const onToken = tells ? (/** @type {number[]} */ ...token) => scope.postMessage({ id, progress: token }) : undefined;
      return /** @type {any} */ (await models.get(model))?.generate({ ...options, onToken, signal });
    }),
  run: async (_, { model, feeds, options }) => (await models.get(model))?.run(feeds, options),
  dispose: async (_, { model }) => {
    await (await models.get(model))?.dispose();
    models.delete(model);
    running.delete(model);
  },
};

/** @template T @param {number} id @param {(signal: AbortSignal) => Promise<T>} task */
async function abortable(id, task) {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    return await task(controller.signal);
  } finally {
    running.delete(id);
  }
}

scope.onmessage = async (/** @type {MessageEvent} */ { data: message }) => {
  if (message.call === "abort") return running.get(message.id)?.abort(message.reason);
  try {
    const value = /** @type {any} */ (await CALLS[message.call]?.(message.id, message));
    scope.postMessage({ id: message.id, value }, ["run", "keep"].includes(message.call) ? buffersOf(value) : []);
  } catch (error) {
    models.delete(message.id);
    running.delete(message.id);
    scope.postMessage({ id: message.id, error: plain(error) });
  }
};

/** @param {Record<string, {data: unknown}>} outputs */
const buffersOf = (outputs) => [...new Set(Object.values(outputs).flatMap(({ data }) => (ArrayBuffer.isView(data) && data.buffer instanceof ArrayBuffer ? [data.buffer] : [])))];

/** An error without its class, which cannot cross. @param {any} error */
const plain = (error) => ({ ...error, name: error?.name, message: String(error?.message ?? error), stack: error?.stack, cause: undefined });
