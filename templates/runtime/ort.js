// onnxruntime-web: the app's own, imported when the first model is loaded. The specifiers are literal so that bundlers
// see them.

import { MbundleError, textOf } from "./errors.js";

/** @typedef {import("./types.d.ts").Ort} Ort */
/** @typedef {"wasm" | "webgpu"} Device */

/** @type {Record<Device, () => Promise<unknown>>} */
const BUILDS = {
  wasm: () => import("onnxruntime-web/wasm"),
  webgpu: () => import("onnxruntime-web/webgpu"),
};

/** A model of one Identity node: opening it compiles the wasm while weights are still coming, and shows that it can start. */
const SMALLEST = Uint8Array.from(
  atob("CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0="),
  (char) => char.charCodeAt(0),
);

/** @type {Map<Device, Promise<Ort>>} */
const imported = new Map();
/** @type {WeakMap<object, Promise<void>>} */
const started = new WeakMap();
/** @type {WeakMap<object, Promise<unknown>>} */
const queues = new WeakMap();

/**
 * @param {Device} device
 * @param {import("./types.d.ts").LoadOptions["ort"]} given
 * @returns {Promise<Ort>} ready to open sessions
 */
export async function startOrt(device, given) {
  const ort = await (typeof given === "function" ? given() : given ?? importOrt(device));
  const key = ort.InferenceSession;
  if (!started.has(key)) started.set(key, smokeTest(ort).catch((cause) => {
    started.delete(key);
    throw new MbundleError("ort", `onnxruntime-web cannot start (${textOf(cause)}).`, { cause });
  }));
  await started.get(key);
  return ort;
}

/** @param {Device} device @returns {Promise<Ort>} */
function importOrt(device) {
  const module = imported.get(device) ?? /** @type {Promise<Ort>} */ (BUILDS[device]()).catch((cause) => {
    imported.delete(device);
    throw new MbundleError("ort", `onnxruntime-web cannot be imported (${textOf(cause)}).`, { cause });
  });
  imported.set(device, module);
  return module;
}

/** @param {Ort} ort */
const smokeTest = (ort) =>
  alone(ort, async () => {
    const session = /** @type {import("./types.d.ts").OrtSession} */ (
      await ort.InferenceSession.create(SMALLEST.slice(), { executionProviders: ["wasm"] })
    );
    await session.release();
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
