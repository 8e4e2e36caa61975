// Runs an emitted variant in Node, with the same onnxruntime-web, tokenizer and arithmetic as the page.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { feedsOf, idsOf, pooled, tokenizerOf } from "../src/text.js";

const BATCH = 32;

/**
 * @param {{ output: string, variant: any, tokenizer: string, texts: string[] }} given `variant`: as the manifest describes it
 * @param {(done: number) => void} progress
 * @returns {Promise<Uint8Array>} int8 [texts, width]: unit vectors, all by one scale, which no order depends on
 */
export async function embed({ output, variant, tokenizer, texts }, progress) {
  const ort = await import("onnxruntime-web");
  const run = await open(ort, output, variant);
  const words = tokenizerOf(JSON.parse(readFileSync(tokenizer, "utf8")));
  const ids = texts.map((text) => idsOf(words, text));
  /** @type {Float32Array[]} */
  const found = Array(texts.length);
  let done = 0;
  for (const batch of batches(ids)) {
    const length = ids[batch[0]].length;
    const feeds = feedsOf(batch.map((at) => ids[at]));
    const made = Object.fromEntries(Object.entries(feeds).map(([name, { data, dims }]) => [name, new ort.Tensor("int64", data, dims)]));
    const { last_hidden_state: states } = await run(made);
    const size = states.data.length / batch.length;
    batch.forEach((at, row) => (found[at] = pooled(states.data.subarray(row * size, (row + 1) * size), length)));
    progress((done += batch.length));
  }
  return rounded(found);
}

/** Rows of one length: nothing is padded. @param {number[][]} ids */
function batches(ids) {
  /** @type {Map<number, number[]>} */
  const lengths = new Map();
  ids.forEach(({ length }, at) => lengths.set(length, [...(lengths.get(length) ?? []), at]));
  return [...lengths.values()].flatMap((rows) => Array.from({ length: Math.ceil(rows.length / BATCH) }, (_, at) => rows.slice(at * BATCH, (at + 1) * BATCH)));
}

/** docs/manifest.md says how a variant is put together. */
async function open(ort, output, { graph, data }) {
  const read = (file) => readFileSync(join(output, "assets", file));
  const externalData = data.map(({ path, bytes, chunks }) => {
    const whole = new Uint8Array(bytes);
    for (const { file, offset } of chunks) whole.set(read(file), offset);
    return { path, data: whole };
  });
  const session = await ort.InferenceSession.create(read(graph.file), { externalData, executionProviders: ["wasm"] });
  return (feeds) => session.run(feeds);
}

/** @param {Float32Array[]} rows */
function rounded(rows) {
  const most = rows.reduce((all, row) => row.reduce((high, value) => Math.max(high, Math.abs(value)), all), 0);
  const made = new Int8Array(rows.length * rows[0].length);
  rows.forEach((row, at) => made.set(row.map((value) => Math.round((value / most) * 127)), at * row.length));
  return new Uint8Array(made.buffer);
}
