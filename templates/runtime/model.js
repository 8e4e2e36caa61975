// An open session behind names: run, info, dispose.

import { MbundleError, advised, textOf } from "./errors.js";
import { fitFeeds } from "./feeds.js";
import { alone } from "./ort.js";

/**
 * @typedef {object} Parts
 * @property {import("./types.d.ts").Ort} ort
 * @property {import("./types.d.ts").OrtSession} session
 * @property {import("./types.d.ts").Variant} variant
 * @property {import("./types.d.ts").Info} info
 * @property {Promise<unknown> | void} [stored] from what the session holds
 */

/**
 * @param {Parts} parts
 * @param {readonly string[] | undefined} wish outputs that `run` gives unless it is asked for others; undefined: all
 * @returns {import("./types.d.ts").Model}
 */
export function makeModel({ ort, session, variant, info, stored }, wish) {
  /** @type {Promise<void> | undefined} */
  let disposed;
  /** @param {import("./types.d.ts").Feeds<any>} feeds @param {import("./types.d.ts").RunOptions<any>} [options] */
  const run = async (feeds, { outputs = wish } = {}) => {
    if (disposed) throw new MbundleError("disposed", `${info.entry} has been disposed of.`);
    const fitted = fitFeeds(variant.inputs, feeds);
    return /** @type {any} */ (alone(ort, () => runOnce(ort, session, fitted, outputs, info)));
  };
  return {
    info,
    inputs: variant.inputs,
    outputs: variant.outputs,
    run: /** @param {any} feeds @param {any} [options] @returns {Promise<any>} */ (feeds, options) => advised(run(feeds, options), info.entry),
    onUpdate: () => () => {},
    dispose: () => (disposed ??= Promise.resolve(stored).then(() => alone(ort, () => session.release()))),
  };
}

/**
 * @param {import("./types.d.ts").Ort} ort @param {import("./types.d.ts").OrtSession} session
 * @param {Map<string, import("./feeds.js").Fitted>} fitted @param {readonly string[] | undefined} outputs @param {import("./types.d.ts").Info} info
 */
async function runOnce(ort, session, fitted, outputs, { entry, variant, device }) {
  const Tensor = /** @type {new (type: string, data: unknown, dims: readonly number[]) => import("./types.d.ts").OrtTensor} */ (/** @type {unknown} */ (ort.Tensor));
  try {
    const feeds = Object.fromEntries(Array.from(fitted, ([name, { type, data, dims }]) => [name, new Tensor(type, data, dims)]));
    const results = await session.run(feeds, outputs);
    return Object.fromEntries(await Promise.all(Object.entries(results).map(read)));
  } catch (cause) {
    throw new MbundleError("run", `${entry} (${variant}, ${device}) failed to run (${textOf(cause)}).`, { entry, cause });
  }
}

/** @param {[string, import("./types.d.ts").OrtTensor]} output */
async function read([name, tensor]) {
  const data = tensor.getData ? await tensor.getData(true) : tensor.data;
  return [name, { type: tensor.type, data, dims: tensor.dims }];
}
