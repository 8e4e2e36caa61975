// A first run on made-up inputs, before an app gets a model that opens well and then fails, or answers NaN: kernels
// are made at the first run (fp16 on a GPU without it fails only there).

import { textOf } from "./errors.js";

/** Sizes for dimensions without one: the least, and what models with strides of 32 take. */
const SIZES = [1, 8, 64];
const MOST_ELEMENTS = 1 << 22;
/** What `generate` makes itself. */
const TOKENS = ["input_ids", "attention_mask", "position_ids", "decoder_input_ids", "cache_position"];

/**
 * @param {import("./types.d.ts").Model} model
 * @returns {Promise<string>} what is wrong; empty if nothing is known to be
 */
export async function smoke(model) {
  if ("generate" in model) return written(/** @type {any} */ (model));
  let fault = "";
  for (const size of SIZES) {
    const feeds = feedsOf(model.inputs, size);
    if (!feeds) return fault;
    try {
      const outputs = await model.run(feeds);
      const broken = Object.entries(outputs).find(([, { data }]) => hasNaN(data));
      return broken ? `${broken[0]} is NaN` : "";
    } catch (error) {
      fault ||= textOf(error);
    }
    if (model.inputs.every(({ shape }) => shape?.every((one) => typeof one === "number"))) break;
  }
  return fault;
}

/** @param {import("./types.d.ts").Generative} model */
function written(model) {
  const { inputs, generation } = /** @type {import("./types.d.ts").Model & import("./types.d.ts").Generative} */ (model);
  const ours = new Set([...TOKENS, ...generation.cache.map(([past]) => past)]);
  const others = feedsOf(inputs.filter(({ name }) => !ours.has(name)), 1) ?? {};
  return model.generate({ input_ids: [1], decoder_input_ids: [1], max_new_tokens: 2, inputs: others }).then(() => "", textOf);
}

/** @param {readonly import("./types.d.ts").Port[]} inputs @param {number} size */
function feedsOf(inputs, size) {
  /** @type {Record<string, any>} */
  const feeds = Object.create(null);
  for (const { name, dtype, shape } of inputs) {
    const dims = shape?.map((one) => (typeof one === "number" ? one : size));
    const count = dims?.reduce((all, one) => all * one, 1) ?? Infinity;
    if (count > MOST_ELEMENTS) return undefined;
    // Nothing that divides by zero or masks all: ones, and floats that differ.
    const float = dtype.startsWith("float");
    feeds[name] = { dims, data: Array.from({ length: count }, (_, index) => (dtype === "string" ? "a" : float ? Math.sin(index + 1) / 2 : 1)) };
    if (dtype === "float16" && !("Float16Array" in globalThis)) feeds[name].data = new Uint16Array(count).fill(0x3800);
  }
  return feeds;
}

/** @param {unknown} data */
const hasNaN = (data) => ArrayBuffer.isView(data) && /^Float/.test(data.constructor.name) && /** @type {Float32Array} */ (data).some(Number.isNaN);
