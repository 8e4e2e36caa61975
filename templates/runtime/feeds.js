// From what an app has (typed arrays, plain or nested arrays, data with dims) to tensors, and back. What does not fit
// is named here, before onnxruntime sees it.

import { MbundleError } from "./errors.js";

/** @typedef {import("./types.d.ts").Port} Port */
/** @typedef {{type: string, data: any, dims: number[]}} Fitted */

const Float16 = /** @type {any} */ (globalThis).Float16Array;

/** @type {Record<string, any>} */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float16 ?? Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

/**
 * @param {readonly Port[]} ports
 * @param {Record<string, unknown>} feeds
 * @returns {Map<string, Fitted>}
 */
export function fitFeeds(ports, feeds) {
  if (typeof feeds !== "object" || feeds === null) throw wrong("no object");
  checkNames(ports, feeds);
  /** @type {Map<string, number>} */
  const sizes = new Map(); // of named dimensions, as the feeds with certain dims say
  const read = ports.map((port) => ({ port, ...readFeed(port, feeds[port.name]) }));
  for (const { port, dims } of read) if (dims) bind(port, dims, sizes);
  return new Map(read.map(({ port, data, dims }) => [port.name, fit(port, data, dims ?? solve(port, data.length, sizes), sizes)]));
}

/** @param {readonly Port[]} ports @param {Record<string, unknown>} feeds */
function checkNames(ports, feeds) {
  const names = ports.map(({ name }) => name);
  const missing = names.filter((name) => !Object.hasOwn(feeds, name) || feeds[name] === undefined);
  const unknown = Object.keys(feeds).filter((name) => !names.includes(name));
  if (missing.length + unknown.length === 0) return;
  throw wrong("names", names, missing, unknown);
}

/** @param {Port} port @param {any} value @returns {{data: any, dims?: number[]}} */
function readFeed(port, value) {
  if (ArrayBuffer.isView(value)) return { data: value };
  if (Array.isArray(value)) return value.some(Array.isArray) ? flatten(port, value) : { data: value };
  if (typeof value === "object" && value !== null && "data" in value) return readTensor(port, value);
  if (["number", "bigint", "boolean", "string"].includes(typeof value)) return { data: [value] };
  throw wrong("no numbers", port, value);
}

/** @param {Port} port @param {{data: any, dims?: readonly number[], type?: string}} tensor */
function readTensor(port, { data, dims, type }) {
  if (type !== undefined && type !== port.dtype) throw wrong("type", port, type);
  if (!ArrayBuffer.isView(data) && !Array.isArray(data)) throw wrong("no array", port);
  return dims ? { data, dims: [...dims].map(Number) } : { data };
}

/** @param {Port} port @param {any[]} nested @returns {{data: any[], dims: number[]}} */
function flatten(port, nested) {
  const dims = [];
  for (let level = /** @type {any} */ (nested); Array.isArray(level); level = level[0]) dims.push(level.length);
  const data = nested.flat(dims.length - 1);
  if (data.length !== product(dims) || data.some(Array.isArray)) throw wrong("ragged", port);
  return { data, dims };
}

/** @param {Port} port @param {number[]} dims @param {Map<string, number>} sizes */
function bind(port, dims, sizes) {
  port.shape?.forEach((dimension, axis) => {
    const size = dims[axis];
    if (typeof dimension !== "string" || size === undefined) return;
    const before = sizes.get(dimension) ?? size;
    if (before !== size) throw wrong("sizes", port, size, dimension, before);
    sizes.set(dimension, size);
  });
}

/**
 * Dims for flat data: fixed sizes, sizes that other feeds give, then at most one unknown; a leading unknown beside
 * another one is a batch of 1.
 * @param {Port} port @param {number} length @param {Map<string, number>} sizes @returns {number[]}
 */
function solve(port, length, sizes) {
  const { shape } = port;
  if (shape === null) return [length];
  const dims = shape.map((dimension) => (typeof dimension === "string" ? sizes.get(dimension) : dimension ?? undefined));
  if (dims.filter((size) => size === undefined).length > 1 && dims[0] === undefined) dims[0] = 1;
  const open = dims.indexOf(undefined);
  if (open !== dims.lastIndexOf(undefined)) throw wrong("dims", port, length);
  const rest = product(dims.filter((size) => size !== undefined));
  if (open >= 0) dims[open] = rest > 0 ? length / rest : 0;
  return dims.map(Number);
}

/** @param {Port} port @param {any} data @param {number[]} dims @param {Map<string, number>} sizes @returns {Fitted} */
function fit(port, data, dims, sizes) {
  const { dtype, shape } = port;
  const fits = shape === null || (dims.length === shape.length && shape.every((dimension, axis) => typeof dimension !== "number" || dimension === dims[axis]));
  if (!fits || dims.some((size) => !Number.isSafeInteger(size) || size < 0) || product(dims) !== data.length) throw wrong("shape", port, data.length, dims, fits);
  bind(port, dims, sizes);
  return { type: dtype, data: convert(port, data), dims };
}

/** @param {Port} port @param {any} data */
function convert(port, data) {
  const { dtype } = port;
  if (dtype === "string") return Array.from(data, String);
  const Wanted = ARRAYS[dtype];
  if (!Wanted) throw wrong("no such array", port);
  if (data instanceof Wanted) return data;
  if (dtype === "float16" && data instanceof Uint16Array) return Float16 ? new Float16(data.buffer, data.byteOffset, data.length) : data;
  if (Wanted === BigInt64Array || Wanted === BigUint64Array) return Wanted.from(data, (/** @type {unknown} */ each) => wholeNumber(port, each));
  if (dtype === "float16" && !Float16) throw wrong("no Float16Array", port);
  const converted = Wanted.from(data, Number);
  checkKept(port, data, converted);
  return converted;
}

/** @param {Port} port @param {any} each */
function wholeNumber(port, each) {
  try {
    return BigInt(each);
  } catch {
    throw wrong("no integer", port, each);
  }
}

/** Floats may be rounded; an integer must come through as it is. @param {Port} port @param {any} data @param {any} converted */
function checkKept(port, data, converted) {
  const float = port.dtype.startsWith("float");
  for (let index = 0; index < converted.length; index++) {
    const given = Number(data[index]);
    if (float ? Number.isNaN(given) && typeof data[index] !== "number" : given !== converted[index]) {
      throw wrong("value", port, data[index], index);
    }
  }
}

/** @param {readonly number[]} sizes */
const product = (sizes) => sizes.reduce((all, size) => all * size, 1);

/** @param {string} what a key of misfit.js's @param {unknown[]} parts */
const wrong = (what, ...parts) => new MbundleError("feeds", what, { parts });
