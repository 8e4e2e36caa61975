// From scores to a token: the best one, or one by chance.

import { MbundleError } from "./errors.js";

/**
 * @param {{temperature?: number, top_p?: number, top_k?: number, seed?: number}} options
 * @returns {(logits: ArrayLike<number>) => number} index of the token
 */
export function choice({ temperature = 0, top_p = 1, top_k = 0, seed }) {
  const range = /** @type {const} */ ([["temperature", temperature, 0, Infinity], ["top_p", top_p, 0, 1], ["top_k", top_k, 0, Infinity]]);
  for (const [name, value, low, high] of range) {
    if (!(value >= low && value <= high)) throw new MbundleError("feeds", `${name} is ${value}, not a number from ${low} to ${high}.`);
  }
  if (temperature === 0) return best;
  const random = seeded(seed ?? Math.random() * 2 ** 32);
  return (logits) => draw(logits, temperature, top_p, top_k, random());
}

/** The first of the highest. @param {ArrayLike<number>} logits */
function best(logits) {
  let found = 0;
  for (let index = 1; index < logits.length; index++) if (Number(logits[index]) > Number(logits[found])) found = index;
  return found;
}

/** @param {ArrayLike<number>} logits @param {number} temperature @param {number} top_p @param {number} top_k @param {number} at in [0, 1) */
function draw(logits, temperature, top_p, top_k, at) {
  const top = Number(logits[best(logits)]);
  const weights = Float64Array.from(logits, (each) => Math.exp((each - top) / temperature));
  const kept = likely(weights, top_p, top_k);
  let rest = at * kept.reduce((sum, index) => sum + Number(weights[index]), 0);
  for (const index of kept) {
    rest -= Number(weights[index]);
    if (rest < 0) return index;
  }
  return Number(kept.at(-1));
}

/** Tokens that are drawn from, the likeliest first. @param {Float64Array} weights @param {number} top_p @param {number} top_k */
function likely(weights, top_p, top_k) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // Tokens below this have less than 1 - top_p together: they need not be sorted.
  const least = top_k ? 0 : ((1 - top_p) * total) / weights.length;
  const order = Array.from(weights.keys()).filter((index) => Number(weights[index]) >= least);
  order.sort((one, other) => Number(weights[other]) - Number(weights[one]) || one - other);
  if (top_k) order.length = Math.min(order.length, top_k);
  let sum = 0;
  const last = order.findIndex((index) => (sum += Number(weights[index])) >= top_p * total);
  return last < 0 ? order : order.slice(0, last + 1);
}

/** mulberry32: the same numbers from the same seed everywhere. @param {number} seed @returns {() => number} in [0, 1) */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
