// onnxruntime-web: the app's own, or the copy in the output folder; imported when the first model is loaded. The
// specifiers are literal so that bundlers see them.

import { MbundleError, textOf } from "./errors.js";
import { silence } from "./fetch.js";
import { locate } from "./place.js";
import { within } from "./scope.js";

/** @typedef {import("./types.d.ts").Ort} Ort */
/** @typedef {"wasm" | "webgpu"} Device */
/** @typedef {"wasm" | "jspi" | "webgpu"} Build */

/** @type {Record<Build, () => Promise<unknown>>} */
const BUILDS = {
  wasm: () => import("onnxruntime-web/wasm"),
  jspi: () => import("onnxruntime-web/jspi"),
  webgpu: () => import("onnxruntime-web/webgpu"),
};
const START_MS = 60_000; // a blocked thread worker leaves onnxruntime waiting for ever

/** A model of one Identity node: opening it compiles the wasm while weights are still coming, and shows that it can start. */
const SMALLEST = "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0=";

let told = false;
/** @type {Map<string, Promise<Ort>>} */
const modules = new Map();
/** @type {WeakMap<object, Promise<void>>} */
const started = new WeakMap();
/** @type {WeakMap<object, Promise<unknown>>} */
const queues = new WeakMap();

/** With JSPI the wasm with WebGPU is a third smaller (3.0 against 4.6 MB of brotli). @param {Device} device @returns {Build} */
export const buildFor = (device) => (device === "webgpu" && "Suspending" in WebAssembly ? "jspi" : device);

/**
 * @param {Device} device
 * @param {import("./types.d.ts").LoadOptions["ort"]} given
 * @param {import("./types.d.ts").Spec} spec
 * @param {AbortSignal} [keep] of a load that wants its wasm in our store
 * @returns {Promise<Ort>} ready to open sessions
 */
export async function startOrt(device, given, spec, keep) {
  const ort = await (typeof given === "function" ? given() : given && typeof given === "object" && "Tensor" in given ? given : importOrt(buildFor(device), given, spec, keep));
  const key = ort.InferenceSession;
  if (!started.has(key)) started.set(key, begin(ort, spec).catch((cause) => {
    started.delete(key);
    throw new MbundleError("ort", `onnxruntime-web cannot start (${textOf(cause)}).`, { cause });
  }));
  await started.get(key);
  return ort;
}

/** @param {Build} build @param {Readonly<Record<string, string>> | undefined} urls @param {import("./types.d.ts").Spec} spec @param {AbortSignal} [keep] @returns {Promise<Ort>} */
function importOrt(build, urls, spec, keep) {
  const own = spec.ort?.[build];
  const url = own?.module ? locate(spec, own.module) : urls?.[build];
  const key = url ?? build;
  const module = modules.get(key) ?? /** @type {Promise<Ort>} */ (url === undefined ? BUILDS[build]() : import(/* webpackIgnore: true */ /* @vite-ignore */ url)).catch((cause) => {
    modules.delete(key);
    throw new MbundleError("ort", `onnxruntime-web cannot be imported (${textOf(cause)}).`, { cause });
  });
  modules.set(key, module);
  if (!own) return module;
  const { wasm: file, bytes, sha256 } = own;
  return module.then(async (ort) => {
    if (keep && bytes && sha256) await import("./kept-ort.js").then(({ fill }) => fill(ort, { file, bytes, sha256 }, spec, keep));
    return pointed(ort, url ? locate(spec, own.wasm) : own.wasm);
  });
}

/** @param {Ort} ort @param {string} wasm @returns {Ort} */
function pointed(ort, wasm) {
  /** @type {any} */ (ort.env).wasm.wasmPaths ??= { wasm };
  return ort;
}

/** @param {Ort} ort @param {import("./types.d.ts").Spec} spec */
async function begin(ort, spec) {
  const { crossOriginIsolated, document } = globalThis;
  const { wasm } = /** @type {any} */ (ort.env);
  // Inside a worker, workers start; in a page a policy may forbid them, and onnxruntime would wait without end.
  if (crossOriginIsolated && document && wasm.numThreads !== 1 && !(await spec.canStartWorker?.())) wasm.numThreads = 1;
  if (!crossOriginIsolated && !told) console.info("mbundle: models run on one thread; with the headers COOP: same-origin and COEP: require-corp they would run on several");
  told = true;
  const starting = smallest(ort);
  // Its wasm shares a slow network with the weights.
  while (!(await within(START_MS, starting))) if (silence() >= START_MS) throw new Error("it does not answer");
}

/** @param {Ort} ort */
const smallest = (ort) =>
  alone(ort, async () => {
    const graph = Uint8Array.from(atob(SMALLEST), (char) => char.charCodeAt(0));
    const session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] });
    await /** @type {import("./types.d.ts").OrtSession} */ (session).release();
    return true;
  });

/**
 * Creating and running are not re-entrant in every build of onnxruntime-web: one after another for each module.
 * @template T
 * @param {Ort} ort
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
export function alone(ort, task) {
  const done = (queues.get(ort.InferenceSession) ?? Promise.resolve()).then(task);
  queues.set(ort.InferenceSession, done.catch(() => {}));
  return done;
}
