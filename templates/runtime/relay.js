// Text from a model in stages: those that depend on nothing that has been written, such as an encoder, run once for a text,
// the others at each token. Imported where a model is split and has a KV cache.

import { generative } from "./generate.js";
import { alone } from "./ort.js";

/**
 * @typedef {import("./types.d.ts").OrtTensor} OrtTensor
 * @typedef {import("./types.d.ts").Variant} Variant
 * @typedef {import("./types.d.ts").Model} Model
 * @typedef {import("./model.js").Parts} Parts
 * @typedef {{variant: Variant, open: () => Promise<Parts>, close: () => Promise<void>}} Stage
 * @typedef {Record<string, OrtTensor>} Tensors
 * @typedef {<T>(task: () => Promise<T>) => Promise<T>} InTurn
 */

/** What is another at each token. @param {Variant} variant */
const moving = ({ generation }) => new Set(["position_ids", "cache_position", ...(generation?.start ? ["decoder_input_ids"] : ["input_ids", "attention_mask"]), ...(generation?.cache ?? []).map(([past]) => past)]);

/** Those of the stages that run once for a text. @param {readonly Stage[]} stages @param {Variant} whole @returns {Set<Stage>} */
function once(stages, whole) {
  const moved = moving(whole);
  return new Set(stages.filter(({ variant }) => {
    if (!variant.inputs.some(({ name }) => moved.has(name))) return true;
    variant.outputs.forEach(({ name }) => moved.add(name));
    return false;
  }));
}

/**
 * `model` with `generate`, which runs `stages`.
 * @param {readonly Stage[]} stages @param {Variant} variant the whole @param {Model} model
 * @param {InTurn | undefined} inTurn for stages that are closed when they have done their part: one text after the other
 * @returns {Model}
 */
export function relayed(stages, variant, model, inTurn) {
  const first = once(stages, variant);
  const text = async () => {
    // An aborted text still has its turn until the step under way is done: it ends with the text and not with its promise.
    const free = inTurn ? await turnOf(inTurn) : () => {};
    if (!inTurn) stages.forEach((stage) => void stage.open().catch(() => {})); // one is fetched while another runs
    try {
      const { ort } = await /** @type {Stage} */ (stages[0]).open();
      const { run, end } = session(stages, first, variant, Boolean(inTurn));
      return { ort, run, end: () => end().finally(free) };
    } catch (error) {
      free();
      throw error;
    }
  };
  return generative(/** @type {any} */ ({ variant, info: model.info, text }), model);
}

/** Resolves when the turn has come, with what ends it. @param {InTurn} inTurn @returns {Promise<() => void>} */
const turnOf = (inTurn) => new Promise((begin) => void inTurn(() => new Promise((end) => begin(() => end(undefined)))));

/** A session for one text. @param {readonly Stage[]} stages @param {ReadonlySet<Stage>} first @param {Variant} whole @param {boolean} release */
function session(stages, first, whole, release) {
  /** What the first ones made. @type {Tensors} */
  const kept = {};
  const results = new Set(whole.outputs.map(({ name }) => name));
  let begun = false;
  /** @param {Tensors} feeds @param {(cause: unknown) => never} failed */
  const run = async (feeds, failed) => {
    /** @type {Tensors} */
    const values = { ...feeds, ...kept };
    /** @type {OrtTensor[]} */
    const passing = [];
    for (const stage of stages) {
      if (begun && first.has(stage)) continue;
      const { ort, session } = await stage.open();
      const given = Object.fromEntries(stage.variant.inputs.map(({ name }) => [name, /** @type {OrtTensor} */ (values[name])]));
      const made = await alone(ort, () => session.run(given)).catch(failed);
      Object.assign(values, made);
      if (first.has(stage)) Object.assign(kept, made);
      else passing.push(...Object.entries(made).flatMap(([name, tensor]) => (results.has(name) ? [] : [tensor])));
      if (release && first.has(stage)) await stage.close();
    }
    begun = true;
    passing.forEach((tensor) => tensor.dispose?.());
    return values;
  };
  const end = async () => {
    Object.values(kept).forEach((tensor) => tensor.dispose?.());
    if (release) await Promise.all(stages.map((stage) => stage.close()));
  };
  return { run, end };
}
