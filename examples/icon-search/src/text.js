// @ts-check
// From a text to the model's inputs, and from its outputs to one vector. The page and the build both do it with this.

import { Tokenizer } from "@huggingface/tokenizers";

/** Tokens that the model was trained on; what is longer loses its end. */
const MOST = 128;

/** @param {any} json of tokenizer.json */
export const tokenizerOf = (json) => new Tokenizer(json, {});

/** @param {Tokenizer} tokenizer @param {string} text @returns {number[]} */
export function idsOf(tokenizer, text) {
  const { ids } = tokenizer.encode(text);
  return ids.length > MOST ? [...ids.slice(0, MOST - 1), ids[ids.length - 1] ?? 0] : ids;
}

/** @param {number[][]} rows all of one length */
export function feedsOf(rows) {
  const dims = [rows.length, rows[0]?.length ?? 0];
  const filled = (/** @type {(id: number) => number} */ value) => ({ data: BigInt64Array.from(rows.flat(), (id) => BigInt(value(id))), dims });
  return { input_ids: filled((id) => id), attention_mask: filled(() => 1), token_type_ids: filled(() => 0) };
}

/** The mean of all tokens' states, made one long. @param {Float32Array} states [length, width] @param {number} length */
export function pooled(states, length) {
  const width = states.length / length;
  const sum = new Float32Array(width);
  for (let at = 0; at < states.length; at++) sum[at % width] = (sum[at % width] ?? 0) + (states[at] ?? 0);
  const norm = Math.hypot(...sum);
  return sum.map((value) => value / norm);
}
