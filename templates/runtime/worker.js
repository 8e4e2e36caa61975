// The other side of remote.js: loads and runs models for a page.

import { stored } from "./acquire.js";
import { loadEntry } from "./load.js";
import { setBase } from "./place.js";

/** @type {Map<number, Promise<import("./types.d.ts").Model>>} by the id of the call that loaded it */
const models = new Map();
/** Also after the load: stages may be under way. @type {Map<number, AbortController>} */
const loading = new Map();
const scope = /** @type {any} */ (globalThis);

/** @type {Record<string, (id: number, message: any) => unknown>} */
const CALLS = {
  hello: () => true,
  rest: stored,
  load: async (id, { spec, options, base }) => {
    setBase(base);
    const controller = new AbortController();
    loading.set(id, controller);
    const onProgress = options.progress ? (/** @type {any} */ progress) => scope.postMessage({ id, progress }) : undefined;
    const model = loadEntry(spec, { ...options, onProgress, signal: controller.signal });
    models.set(id, model);
    const { info, inputs, outputs } = await model;
    return { info: { ...info, worker: true }, inputs, outputs };
  },
  run: async (_, { model, feeds, options }) => (await models.get(model))?.run(feeds, options),
  dispose: async (_, { model }) => {
    await (await models.get(model))?.dispose();
    models.delete(model);
    loading.delete(model);
  },
};

scope.onmessage = async (/** @type {MessageEvent} */ { data: message }) => {
  if (message.call === "abort") return loading.get(message.id)?.abort(message.reason);
  try {
    const value = /** @type {any} */ (await CALLS[message.call]?.(message.id, message));
    scope.postMessage({ id: message.id, value }, message.call === "run" ? buffersOf(value) : []);
  } catch (error) {
    models.delete(message.id);
    loading.delete(message.id);
    scope.postMessage({ id: message.id, error: plain(error) });
  }
};

/** @param {Record<string, {data: unknown}>} outputs */
const buffersOf = (outputs) => [...new Set(Object.values(outputs).flatMap(({ data }) => (ArrayBuffer.isView(data) && data.buffer instanceof ArrayBuffer ? [data.buffer] : [])))];

/** An error without its class, which cannot cross. @param {any} error */
const plain = (error) => ({ ...error, name: error?.name, message: String(error?.message ?? error), stack: error?.stack, cause: undefined });
