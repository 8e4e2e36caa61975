// @ts-check
// A worker with all that is neither the model nor the page: the tokenizer, the icons and their vectors.

import { matching, nearest } from "./rank.js";
import { feedsOf, idsOf, pooled, tokenizerOf } from "./text.js";

/** @typedef {{ name: string, tags: string[], nodes: [string, Record<string, string>][] }} Icon */

/** @type {Promise<Icon[]>} */
let icons;
/** @type {Promise<import("@huggingface/tokenizers").Tokenizer>} */
let tokenizer;
/** @type {Promise<Int8Array>} */
let vectors;

/** @param {string} url */
async function bring(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} for ${url}`);
  return answer;
}

const calls = {
  /** @param {{ icons: string, tokenizer: string }} urls @returns {Promise<number>} how many icons there are */
  async open(urls) {
    icons = bring(urls.icons).then((answer) => answer.json());
    tokenizer = bring(urls.tokenizer).then(async (answer) => tokenizerOf(await answer.json()));
    tokenizer.catch(() => {}); // told to whoever asks for it
    return (await icons).length;
  },
  /** Of the variant that the model turned out to be. @param {string} url */
  async compareWith(url) {
    vectors = bring(url).then(async (answer) => new Int8Array(await answer.arrayBuffer()));
    await Promise.all([vectors, tokenizer]);
  },
  /** @param {number} most @returns {Promise<Icon[]>} from everywhere in the alphabet */
  async some(most) {
    const all = await icons;
    return Array.from({ length: Math.min(most, all.length) }, (_, at) => all[Math.floor((at * all.length) / most)]).filter((icon) => icon !== undefined);
  },
  /** @param {{ text: string, most: number }} wanted */
  async match({ text, most }) {
    return pick(matching(text, await icons, most), await icons);
  },
  /** @param {string} text */
  async feeds(text) {
    return feedsOf([idsOf(await tokenizer, text)]);
  },
  /** @param {{ states: Float32Array, length: number, most: number }} read */
  async nearest({ states, length, most }) {
    return pick(nearest(pooled(states, length), await vectors, most), await icons);
  },
};

/** @param {number[]} rows @param {Icon[]} all */
const pick = (rows, all) => rows.map((row) => all[row]).filter((icon) => icon !== undefined);

addEventListener("message", async ({ data: { id, call, value } }) => {
  try {
    postMessage({ id, value: await /** @type {any} */ (calls)[call](value) });
  } catch (error) {
    postMessage({ id, error: String(error instanceof Error ? error.message : error) });
  }
});
