// Why feeds do not fit, in words. Kept apart from feeds.js, which every page loads.

/** @typedef {import("./types.d.ts").Port} Port */

/** @param {Port["shape"]} shape */
const show = (shape) => (shape === null ? "any" : `[${shape.map((dimension) => dimension ?? "?").join(", ")}]`);

/** By what feeds.js calls them. @type {Record<string, (...parts: any[]) => string>} */
const SENTENCES = {
  "no object": () => "run takes one object of feeds by input name",
  names(/** @type {string[]} */ names, /** @type {string[]} */ missing, /** @type {string[]} */ unknown) {
    const lists = [missing.length ? `missing: ${missing.join(", ")}` : "", unknown.length ? `not an input: ${unknown.join(", ")}` : ""];
    return `${lists.filter(Boolean).join("; ")}. The inputs are ${names.join(", ")}`;
  },
  "no numbers": (/** @type {Port} */ { name }, value) => `${name} is ${value === null ? "null" : typeof value}, not numbers`,
  type: (/** @type {Port} */ { name, dtype }, type) => `${name} is a tensor of ${type}, not ${dtype}`,
  "no array": (/** @type {Port} */ { name }) => `${name}.data is no array`,
  ragged: (/** @type {Port} */ { name }) => `${name} is a ragged array: all rows must be of one length`,
  sizes: (/** @type {Port} */ { name }, size, dimension, before) => `${name} has ${size} in dimension ${dimension}, another input has ${before}`,
  dims: (/** @type {Port} */ { name, shape }, length) => `the dims of ${name} cannot be told from ${length} values and ${show(shape)}: give {data, dims}`,
  shape: (/** @type {Port} */ { name, dtype, shape }, length, dims, fits) => `${name} takes ${dtype} of shape ${show(shape)}, not ${length} values${fits ? "" : ` as [${dims}]`}`,
  "no such array": (/** @type {Port} */ { name, dtype }) => `${name} is of type ${dtype}, which JavaScript has no array for`,
  "no Float16Array": (/** @type {Port} */ { name }) => `${name}: this browser has no Float16Array; give the bits as a Uint16Array`,
  "no integer": (/** @type {Port} */ { name, dtype }, each) => `${name} takes ${dtype}; ${String(each)} is no integer`,
  value: (/** @type {Port} */ { name, dtype }, each, index) => `${name} takes ${dtype}; ${String(each)} at ${index} is not one`,
};

/** @param {import("./errors.js").MbundleError} error with `parts` */
export const sentence = ({ what, parts = [] }) => `${SENTENCES[what]?.(...parts) ?? what}.`;
