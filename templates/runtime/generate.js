// Tokens, one after the other. Imported only where a model has a KV cache. What a step puts out as `present` goes into the
// next as `past`, as the tensor that onnxruntime-web made: on a GPU it never leaves it.

import { MbundleError, advised, textOf } from "./errors.js";
import { fitFeeds } from "./feeds.js";
import { alone } from "./ort.js";
import { makeRooms } from "./room.js";
import { choice } from "./sampling.js";
import { orAbort } from "./scope.js";

/**
 * @typedef {import("./types.d.ts").OrtTensor} OrtTensor
 * @typedef {import("./types.d.ts").GenerateOptions} GenerateOptions
 * @typedef {import("./types.d.ts").Generated} Generated
 * @typedef {import("./types.d.ts").Generation} Generation
 * @typedef {import("./model.js").Parts} Parts
 * @typedef {Parts & {variant: {generation: Generation}}} Writing
 * @typedef {new (type: string, data: unknown, dims: readonly number[]) => OrtTensor} NewTensor
 */

/** Of what a cache may be made. @type {Record<string, any>} */
const ELEMENTS = { float32: Float32Array, float16: /** @type {any} */ (globalThis).Float16Array ?? Uint16Array, int8: Int8Array, uint8: Uint8Array };
/** How long a page may wait for its turn, beside one step. */
const TURN_MS = 8;
const OWN = new Set(["input_ids", "attention_mask", "position_ids"]);

/** Where outputs are left: on a GPU, which has no bytes with a sign. @param {import("./capability.js").Choice} choice */
export const placement = ({ variant: { generation }, device }) =>
  isSound(generation) && device === "webgpu" && generation.dtype.startsWith("float") ? { preferredOutputLocation: Object.fromEntries(generation.cache.map(([, present]) => [present, "gpu-buffer"])) } : {};

/** The manifest is not trusted. @param {Generation | undefined} generation @returns {generation is Generation} */
function isSound(generation) {
  const { dtype, cache, end } = generation ?? {};
  const sound = typeof dtype === "string" && Array.isArray(end) && Array.isArray(cache) && cache.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((name) => typeof name === "string"));
  if (!sound) throw new MbundleError("manifest", "The manifest is not valid: a variant's generation.");
  return true;
}

/**
 * `model` with `generate`.
 * @param {Parts} parts @param {import("./types.d.ts").Model} model
 * @returns {import("./types.d.ts").Model}
 */
export function generative(parts, model) {
  const { generation } = parts.variant;
  if (!generation) return model;
  const writing = /** @type {Writing} */ (parts);
  const { entry } = parts.info;
  const rooms = makeRooms(writing);
  /** @type {Set<Promise<unknown>>} */
  const under = new Set();
  /** @type {Promise<void> | undefined} */
  let disposed;
  /** @param {GenerateOptions} options @returns {Promise<Generated>} */
  const generate = async (options) => {
    const { signal } = options ?? {};
    signal?.throwIfAborted();
    if (disposed) throw new MbundleError("disposed", `${entry} has been disposed of.`);
    const request = checked(options, generation);
    const session = rooms?.session(request.prompt.length + request.max_new_tokens);
    const text = write(session ? { ...writing, session } : writing, request).finally(() => session?.release());
    under.add(text);
    text.catch(() => {}).finally(() => under.delete(text));
    return signal ? orAbort(text, signal) : text;
  };
  return Object.assign({}, model, {
    generation,
    generate: (/** @type {GenerateOptions} */ options) => advised(generate(options), entry),
    dispose: () => (disposed ??= Promise.allSettled(under).then(() => model.dispose()).finally(() => rooms?.free())),
  });
}

/** @param {GenerateOptions} options @param {Generation} generation */
function checked(options, { words, end }) {
  const { input_ids, max_new_tokens = 128, eos_token_id = end } = options;
  const data = /** @type {any} */ (input_ids)?.data ?? input_ids;
  const prompt = data && typeof data === "object" ? Array.from(/** @type {any} */ (data).flat?.(Infinity) ?? data, Number) : [];
  if (prompt.length === 0) throw new MbundleError("feeds", "generate takes input_ids: at least one token of one text.");
  const odd = prompt.find((id) => !Number.isSafeInteger(id) || id < 0 || (words > 0 && id >= words));
  if (odd !== undefined) throw new MbundleError("feeds", `input_ids holds ${odd}, which is no token${words ? ` of the ${words}` : ""}.`);
  if (!Number.isSafeInteger(max_new_tokens) || max_new_tokens < 1) throw new MbundleError("feeds", `max_new_tokens is ${max_new_tokens}, not a number of tokens.`);
  return { ...options, prompt, max_new_tokens, ends: new Set([eos_token_id].flat()), pick: choice(options) };
}

/**
 * One text to its end. The cache of a text is its own, so that texts may be written side by side.
 * @param {Writing} parts @param {ReturnType<typeof checked>} request
 * @returns {Promise<Generated>}
 */
async function write(parts, { prompt, max_new_tokens, ends, pick, signal, onToken, inputs = {} }) {
  const { ort, session, variant, info } = parts;
  const Tensor = /** @type {NewTensor} */ (/** @type {unknown} */ (ort.Tensor));
  const given = constant(variant, inputs, Tensor);
  const turns = takeTurns();
  /** @type {Record<string, OrtTensor>} */
  let past = empty(variant, Tensor);
  let seen = 0;
  let fresh = prompt;
  /** @type {number[]} */
  const tokens = [];
  try {
    while (tokens.length < max_new_tokens) {
      signal?.throwIfAborted();
      const feeds = { ...given, ...past, ...places(variant, fresh, seen, Tensor) };
      const outputs = await alone(ort, () => session.run(feeds)).catch((cause) => {
        throw new MbundleError("run", `${info.entry} (${info.variant}, ${info.device}) failed at token ${tokens.length} (${textOf(cause)}).`, { cause });
      });
      seen += fresh.length;
      past = replaced(variant, past, outputs);
      const id = pick(await lastRow(outputs, info));
      if (ends.has(id)) return { tokens, finish_reason: "stop" };
      tokens.push(id);
      fresh = [id];
      await onToken?.(id, tokens.length - 1);
      await turns.next();
    }
    return { tokens, finish_reason: "length" };
  } finally {
    turns.end();
    release(Object.values(past));
  }
}

/** A step on wasm is no task of its own: without this no click, no timer and no message would come through until the text is done. */
function takeTurns() {
  const { port1, port2 } = new MessageChannel();
  let began = performance.now();
  const next = async () => {
    if (performance.now() - began < TURN_MS) return;
    await new Promise((resolve) => {
      port1.onmessage = resolve;
      port2.postMessage(0);
    });
    began = performance.now();
  };
  return { next, end: () => port1.close() };
}

/** The inputs that stay as they are from step to step: those that are not ours. @param {Writing["variant"]} variant @param {Record<string, any>} inputs @param {NewTensor} Tensor */
function constant({ inputs: ports, generation }, inputs, Tensor) {
  const ours = new Set([...OWN, ...generation.cache.map(([past]) => past)]);
  const fitted = fitFeeds(ports.filter(({ name }) => !ours.has(name)), inputs);
  return Object.fromEntries(Array.from(fitted, ([name, { type, data, dims }]) => [name, new Tensor(type, data, dims)]));
}

/** A cache of no tokens. @param {Writing["variant"]} variant @param {NewTensor} Tensor */
function empty({ inputs, generation }, Tensor) {
  const names = new Set(generation.cache.map(([past]) => past));
  const ports = inputs.filter(({ name }) => names.has(name));
  return Object.fromEntries(ports.map(({ name, dtype, shape }) => {
    const Elements = ELEMENTS[dtype];
    if (!Elements) throw new MbundleError("unsupported", `The KV cache of ${name} is ${dtype}, which this version cannot begin with.`);
    return [name, new Tensor(dtype, new Elements(0), [1, Number(shape?.[1]), 0, Number(shape?.[3])])];
  }));
}

/** @param {Writing["variant"]} variant @param {number[]} fresh tokens of this step @param {number} seen tokens in the cache @param {NewTensor} Tensor */
function places({ inputs }, fresh, seen, Tensor) {
  /** @type {Record<string, number[]>} */
  const values = {
    input_ids: fresh,
    attention_mask: Array.from({ length: seen + fresh.length }, () => 1),
    position_ids: fresh.map((_, index) => seen + index),
  };
  const ports = inputs.filter(({ name }) => OWN.has(name));
  return Object.fromEntries(ports.map(({ name, dtype }) => {
    const row = values[name] ?? [];
    return [name, new Tensor(dtype, dtype === "int64" ? BigInt64Array.from(row, BigInt) : Int32Array.from(row), [1, row.length])];
  }));
}

/** What came out as present, by the names of past; the former past is given back. @param {Writing["variant"]} variant @param {Record<string, OrtTensor>} former @param {Record<string, OrtTensor>} outputs */
function replaced({ generation }, former, outputs) {
  const past = Object.fromEntries(generation.cache.map(([name, present]) => [name, /** @type {OrtTensor} */ (outputs[String(present)])]));
  const kept = new Set(Object.values(past));
  release(Object.values(former).filter((tensor) => !kept.has(tensor)));
  return past;
}

/** @param {OrtTensor[]} tensors */
const release = (tensors) => tensors.forEach((tensor) => tensor.dispose?.());

/** The scores of the last token, as numbers. @param {Record<string, OrtTensor>} outputs @param {import("./types.d.ts").Info} info */
async function lastRow({ logits }, { entry }) {
  const { dims, type } = /** @type {OrtTensor} */ (logits);
  const data = /** @type {Float32Array} */ (await /** @type {OrtTensor} */ (logits).getData?.() ?? logits?.data);
  if (type === "float16" && data instanceof Uint16Array) throw new MbundleError("unsupported", "The logits are float16, and this browser has no Float16Array.");
  const row = data.subarray(data.length - Number(dims.at(-1)));
  if (row.some(Number.isNaN)) throw new MbundleError("run", `The logits of ${entry} are NaN.`);
  return row;
}
