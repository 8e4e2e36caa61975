// Tokens, one after the other. Imported only where a model has a KV cache. What a step puts out as `present` goes into the
// next as `past`, as the tensor that onnxruntime-web made: on a GPU it never leaves it.

import { MbundleError, advised, textOf } from "./errors.js";
import { fitFeeds } from "./feeds.js";
import { alone } from "./ort.js";
import { choice } from "./sampling.js";
import { orAbort } from "./scope.js";

/**
 * @typedef {import("./types.d.ts").OrtTensor} OrtTensor
 * @typedef {import("./types.d.ts").GenerateOptions} GenerateOptions
 * @typedef {import("./types.d.ts").Generated} Generated
 * @typedef {import("./types.d.ts").Generation} Generation
 * @typedef {import("./model.js").Parts} Parts
 * @typedef {import("./types.d.ts").Variant & {generation: Generation}} Variant
 * @typedef {Record<string, OrtTensor>} Tensors
 * @typedef {{ort: import("./types.d.ts").Ort, run: (feeds: Tensors, failed: (cause: unknown) => never) => Promise<Tensors>, end?: () => Promise<void>}} Text
 *   what writes one text; `failed` gets what a session throws
 * @typedef {{variant: Variant, info: import("./types.d.ts").Info, text: () => Promise<Text>}} Writing
 * @typedef {new (type: string, data: unknown, dims: readonly number[]) => OrtTensor} NewTensor
 */

/** Of what a cache may be made. @type {Record<string, any>} */
const ELEMENTS = { float32: Float32Array, float16: /** @type {any} */ (globalThis).Float16Array ?? Uint16Array, int8: Int8Array, uint8: Uint8Array };
/** How long a page may wait for its turn, beside one step. */
const TURN_MS = 8;
const OWN = ["input_ids", "attention_mask", "position_ids", "decoder_input_ids", "cache_position"];

/**
 * Where outputs are left: on a GPU, which has no bytes with a sign. And in how many bits the GPU's backend shall keep a
 * cache. Not as `extra`: onnxruntime-web 1.30 adds that to the session's options when the backend has read them.
 * @param {import("./capability.js").Choice} choice
 */
export function placement({ variant: { generation, outputs, part }, device }) {
  if (!isSound(generation) || device !== "webgpu") return {};
  const present = new Set(generation.cache.map((pair) => pair[1]));
  const stay = outputs.filter(({ name, dtype }) => dtype.startsWith("float") && (present.has(name) || (part !== undefined && !part.includes(name))));
  const { webgpuBits } = generation;
  const asked = webgpuBits && part === undefined ? { executionProviders: [{ name: device, kvCacheQuantizationBits: String(webgpuBits) }] } : {};
  return { ...asked, preferredOutputLocation: Object.fromEntries(stay.map(({ name }) => [name, "gpu-buffer"])) };
}

/** The manifest is not trusted. @param {Generation | undefined} generation @returns {generation is Generation} */
function isSound(generation) {
  const { dtype, cache, end, start = [], suppressed = [], webgpuBits = 8 } = generation ?? {};
  const sound = [4, 8].includes(webgpuBits) && typeof dtype === "string" && [end, start, suppressed].every(Array.isArray) && Array.isArray(cache) && cache.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((name) => typeof name === "string"));
  if (!sound) throw new MbundleError("manifest", "The manifest is not valid: a variant's generation.");
  return true;
}

/**
 * `model` with `generate`; a stage, with what writes through it.
 * @param {Parts | Writing} given @param {import("./types.d.ts").Model} model
 * @returns {import("./types.d.ts").Model}
 */
export function generative(given, model) {
  const { generation, part } = given.variant;
  if (!generation) return model;
  if (part) return Object.assign({}, model, { parts: given });
  let writing = "text" in given ? given : { .../** @type {Writing} */ (/** @type {unknown} */ (given)), text: async () => alike(given) };
  const { entry } = given.info;
  /** Only some models on some devices have them. @type {Promise<ReturnType<typeof import("./room.js").makeRooms>> | undefined} */
  let rooms;
  const roomy = !("text" in given) && generation.inPlace && given.info.device === "webgpu";
  const findRooms = () => (rooms ??= import("./room.js").then(({ makeRooms }) => makeRooms(/** @type {import("./room.js").Holder} */ ({ ...given, variant: writing.variant })), () => undefined));
  /** @type {Promise<void> | undefined} */
  let settled;
  /** How wide the cache of this session is. */
  const settle = () => (settled ??= import("./packed.js").then(async ({ settle }) => {
    const [device, ort] = "text" in given ? ["wasm", undefined] : [given.info.device, given.ort]; // stages are not asked for other bits
    writing = { ...writing, variant: await settle(writing.variant, device, /** @type {any} */ (ort)) };
  }));
  /** @type {Set<Promise<unknown>>} */
  const under = new Set();
  /** @type {Promise<void> | undefined} */
  let disposed;
  /** @param {GenerateOptions} options @returns {Promise<Generated>} */
  const generate = async (options) => {
    const { signal } = options ?? {};
    signal?.throwIfAborted();
    if (disposed) throw new MbundleError("disposed", `${entry} has been disposed of.`);
    const request = checked(options, writing.variant);
    const begin = () => (roomy ? writeInRoom(request) : write(writing, request));
    const text = generation.webgpuBits ? settle().then(begin) : begin();
    under.add(text);
    text.catch(() => {}).finally(() => under.delete(text));
    return signal ? orAbort(text, signal) : text;
  };
  const writeInRoom = async (/** @type {ReturnType<typeof checked>} */ request) => {
    const session = (await findRooms())?.session(request.prompt.length + request.max_new_tokens);
    if (!session) return write(writing, request);
    const text = async () => alike({ .../** @type {Parts} */ (given), session });
    return write({ ...writing, text }, request).finally(() => session.release());
  };
  return Object.assign({}, model, {
    generation,
    generate: (/** @type {GenerateOptions} */ options) => advised(generate(options), entry),
    dispose: () => (disposed ??= Promise.allSettled(under).then(() => model.dispose()).finally(async () => (await rooms)?.free())),
  });
}

/** One session does it all. @param {Parts} parts @returns {Text} */
const alike = ({ ort, session }) => ({ ort, run: (feeds, failed) => alone(ort, () => session.run(feeds)).catch(failed) });

/** @param {GenerateOptions} options @param {Variant} variant */
function checked(options, { inputs, generation: { words, end, start } }) {
  const { max_new_tokens = 128, eos_token_id = end, decoder_input_ids = start } = options;
  const source = start && inputs.some(({ name }) => name === "input_ids") ? tokensOf("input_ids", options.input_ids, 0) : [];
  const hint = start ? "; the checkpoint does not say with which token its decoder begins" : "";
  const prompt = start ? tokensOf("decoder_input_ids", decoder_input_ids, words, hint) : tokensOf("input_ids", options.input_ids, words);
  const mask = options.attention_mask === undefined ? source.map(() => 1) : numbers(options.attention_mask);
  if (start && mask.length !== source.length) throw new MbundleError("feeds", `attention_mask has ${mask.length} numbers for the ${source.length} tokens of input_ids.`);
  if (!Number.isSafeInteger(max_new_tokens) || max_new_tokens < 1) throw new MbundleError("feeds", `max_new_tokens is ${max_new_tokens}, not a number of tokens.`);
  return { ...options, source, mask, prompt, max_new_tokens, ends: new Set([eos_token_id].flat()), pick: choice(options) };
}

/** @param {unknown} given @returns {number[]} */
function numbers(given) {
  const data = /** @type {any} */ (given)?.data ?? given;
  return data && typeof data === "object" ? Array.from(/** @type {any} */ (data).flat?.(Infinity) ?? data, Number) : [];
}

/** @param {string} name @param {unknown} given @param {number} words how many there are; 0: not known @param {string} [hint] */
function tokensOf(name, given, words, hint = "") {
  const tokens = numbers(given);
  if (tokens.length === 0) throw new MbundleError("feeds", `generate takes ${name}: at least one token of one text${hint}.`);
  const odd = tokens.find((id) => !Number.isSafeInteger(id) || id < 0 || (words > 0 && id >= words));
  if (odd !== undefined) throw new MbundleError("feeds", `${name} holds ${odd}, which is no token${words ? ` of the ${words}` : ""}.`);
  return tokens;
}

/**
 * One text to its end. The cache of a text is its own, so that texts may be written side by side.
 * @param {Writing} writing @param {ReturnType<typeof checked>} request
 * @returns {Promise<Generated>}
 */
async function write({ variant, info, text }, { source, mask, prompt, max_new_tokens, ends, pick, signal, onToken, inputs = {} }) {
  const { ort, run, end } = await text();
  const Tensor = /** @type {NewTensor} */ (/** @type {unknown} */ (ort.Tensor));
  const turns = takeTurns();
  /** @type {Tensors} */
  let past = {};
  /** @type {number[]} */
  const tokens = [];
  try {
    const given = constant(variant, inputs, source, mask, Tensor);
    past = empty(variant, Tensor);
    let seen = 0;
    // The decoder of an encoder-decoder was exported for one token at a time.
    const waiting = variant.generation.start ? prompt.map((id) => [id]) : [prompt];
    let fresh = /** @type {number[]} */ (waiting.shift());
    while (tokens.length < max_new_tokens) {
      signal?.throwIfAborted();
      const feeds = { ...given, ...past, ...places(variant, fresh, seen, Tensor) };
      const outputs = await run(feeds, (cause) => {
        throw new MbundleError("run", `${info.entry} (${info.variant}, ${info.device}) failed at token ${tokens.length} (${textOf(cause)}).`, { cause });
      });
      seen += fresh.length;
      past = replaced(variant, past, outputs);
      const more = waiting.shift();
      if (more) {
        fresh = more;
        continue;
      }
      const id = pick(await lastRow(outputs, variant, info));
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
    await end?.();
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

/** The inputs that stay as they are from step to step: those that are not ours, and the text that an encoder reads. @param {Variant} variant @param {Record<string, any>} inputs @param {number[]} source @param {number[]} mask @param {NewTensor} Tensor @returns {Tensors} */
function constant({ inputs: ports, generation }, inputs, source, mask, Tensor) {
  const read = generation.start && source.length > 0 ? { input_ids: source, attention_mask: mask } : {};
  const ours = new Set([...OWN, ...generation.cache.map(([past]) => past)]);
  if (generation.start && source.length === 0) ours.delete("attention_mask"); // an encoder of sounds may have one
  const fitted = fitFeeds(ports.filter(({ name }) => !ours.has(name)), inputs);
  const others = Array.from(fitted, ([name, { type, data, dims }]) => [name, new Tensor(type, data, dims)]);
  return { ...Object.fromEntries(others), ...rows(ports, read, Tensor) };
}

/** @param {Variant["inputs"]} ports @param {Record<string, number[] | undefined>} values of those of them that are given @param {NewTensor} Tensor @returns {Tensors} */
const rows = (ports, values, Tensor) => Object.fromEntries(ports.flatMap(({ name, dtype, shape }) => {
  const row = Object.hasOwn(values, name) ? values[name] : undefined;
  const dims = row && shape?.length === 1 ? [row.length] : [1, row?.length ?? 0];
  return row ? [[name, new Tensor(dtype, dtype === "int64" ? BigInt64Array.from(row, BigInt) : Int32Array.from(row), dims)]] : [];
}));

/** A cache of no tokens. @param {Variant} variant @param {NewTensor} Tensor @returns {Tensors} */
function empty({ inputs, generation }, Tensor) {
  const names = new Set(generation.cache.map(([past]) => past));
  const ports = inputs.filter(({ name }) => names.has(name));
  return Object.fromEntries(ports.map(({ name, dtype, shape }) => {
    const Elements = ELEMENTS[dtype];
    if (!Elements) throw new MbundleError("unsupported", `The KV cache of ${name} is ${dtype}, which this version cannot begin with.`);
    return [name, new Tensor(dtype, new Elements(0), [1, Number(shape?.[1]), 0, Number(shape?.[3])])];
  }));
}

/** @param {Variant} variant @param {number[]} fresh tokens of this step @param {number} seen tokens in the cache @param {NewTensor} Tensor */
function places({ inputs, generation }, fresh, seen, Tensor) {
  const position = fresh.map((_, index) => seen + index);
  const read = generation.start ? { decoder_input_ids: fresh } : { input_ids: fresh, attention_mask: Array.from({ length: seen + fresh.length }, () => 1) };
  return rows(inputs, { ...read, position_ids: position, cache_position: position }, Tensor);
}

/** What came out as present, by the names of past; the former past is given back. @param {Variant} variant @param {Tensors} former @param {Tensors} outputs */
function replaced({ generation }, former, outputs) {
  const past = Object.fromEntries(generation.cache.map(([name, present]) => [name, /** @type {OrtTensor} */ (outputs[String(present)])]));
  const kept = new Set(Object.values(past));
  release(Object.values(former).filter((tensor) => !kept.has(tensor)));
  return past;
}

/** @param {OrtTensor[]} tensors */
const release = (tensors) => tensors.forEach((tensor) => tensor.dispose?.());

/** The scores of the last token, as numbers. @param {Tensors} outputs @param {Variant} variant @param {import("./types.d.ts").Info} info */
async function lastRow({ logits }, { generation: { suppressed = [] } }, { entry }) {
  const { dims, type } = /** @type {OrtTensor} */ (logits);
  const data = /** @type {Float32Array} */ (await /** @type {OrtTensor} */ (logits).getData?.() ?? logits?.data);
  if (type === "float16" && data instanceof Uint16Array) throw new MbundleError("unsupported", "The logits are float16, and this browser has no Float16Array.");
  const row = data.subarray(data.length - Number(dims.at(-1)));
  if (row.some(Number.isNaN)) throw new MbundleError("run", `The logits of ${entry} are NaN.`);
  for (const id of suppressed) if (id < row.length) row[id] = -Infinity;
  return row;
}
