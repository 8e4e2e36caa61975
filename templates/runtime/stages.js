// A variant that is split: stages are fetched one after the other, opened as soon as they are here, and run as far as the
// wanted outputs need them. While one is built and runs, the next is on its way. Imported by pages that load such a model.

import { filesOf } from "./assemble.js";
import { keeps } from "./depot.js";
import { MbundleError, advised } from "./errors.js";
import { fitFeeds } from "./feeds.js";
import { explained, fetchAhead, open } from "./load.js";

/**
 * @typedef {import("./types.d.ts").Variant} Variant
 * @typedef {import("./types.d.ts").Model} Model
 * @typedef {import("./types.d.ts").LoadOptions} LoadOptions
 * @typedef {Record<string, {type: string, data: any, dims: readonly number[]}>} Values
 *
 * @typedef {object} Part
 * @property {Variant} variant the stage, as a variant of its own
 * @property {ReadonlySet<number>} needs indices of the stages that must run before it, itself included
 * @property {Promise<Model> | undefined} opening
 * @property {number} bytes of its files
 * @property {{loaded: number, fromCache: number, ready: boolean}} have as far as the first opening got
 * @property {boolean} ahead its files are in the store, fetched for this load
 */

/** What `load` and `preload` fetch at first: what the wanted outputs need or, where none are named, all outputs. @param {Variant} variant @param {{outputs?: readonly string[]}} options @returns {Variant[]} */
export function partsFor(variant, { outputs }) {
  const parts = partsOf(variant);
  return planned(parts, variant, outputs).map((index) => /** @type {Part} */ (parts[index]).variant);
}

/** @param {Variant} variant @returns {Part[]} */
function partsOf(variant) {
  /** @type {Map<string, number>} */
  const makers = new Map();
  const known = new Set(variant.inputs.map(({ name }) => name));
  const files = new Map(variant.data.map((file) => [file.path, file]));
  /** @type {Part[]} */
  const parts = [];
  for (const [index, { graph, data, inputs, outputs }] of (variant.stages ?? []).entries()) {
    const needs = new Set([index]);
    for (const { name } of inputs) {
      if (!known.has(name)) throw invalid(variant, index, `takes ${name}, which nothing before it makes`);
      for (const need of parts[makers.get(name) ?? -1]?.needs ?? []) needs.add(need);
    }
    for (const { name } of outputs) {
      if (known.has(name)) throw invalid(variant, index, `makes ${name} again`);
      known.add(name);
      makers.set(name, index);
    }
    const own = data.map((path) => files.get(path) ?? raise(invalid(variant, index, `reads ${path}, which is not there`)));
    const name = `${variant.name} (stage ${index + 1})`;
    const part = { ...variant, name, graph, data: own, inputs, outputs, stages: undefined, part: variant.outputs.map(({ name: one }) => one) };
    const bytes = filesOf(part).reduce((sum, file) => sum + file.bytes, 0);
    parts.push({ variant: part, needs, opening: undefined, bytes, have: { loaded: 0, fromCache: 0, ready: false }, ahead: false });
  }
  for (const { name } of variant.outputs) if (!makers.has(name)) throw invalid(variant, 0, `and the others do not make ${name}`);
  return parts;
}

/** @param {Variant} variant @param {number} index @param {string} what */
const invalid = ({ name }, index, what) => new MbundleError("manifest", `The manifest is not valid: stage ${index + 1} of ${name} ${what}.`);

/** @type {(error: unknown) => never} */
const raise = (error) => {
  throw error;
};

/** Indices of the stages that `outputs` need, in order. @param {readonly Part[]} parts @param {Variant} variant @param {readonly string[]} outputs */
function needed(parts, variant, outputs) {
  /** @type {Set<number>} */
  const found = new Set();
  for (const output of outputs) {
    if (!variant.outputs.some(({ name }) => name === output)) {
      throw new MbundleError("feeds", `${output} is not an output. The outputs are ${variant.outputs.map(({ name }) => name).join(", ")}.`);
    }
    parts.find((part) => part.variant.outputs.some(({ name }) => name === output))?.needs.forEach((index) => found.add(index));
  }
  return [...parts.keys()].filter((index) => found.has(index));
}

/** @param {readonly number[]} numbers */
const add = (numbers) => numbers.reduce((all, each) => all + each, 0);

/** @param {readonly Part[]} parts @param {Variant} variant @param {readonly string[] | undefined} wish */
function planned(parts, variant, wish) {
  if (wish) return needed(parts, variant, wish);
  const each = variant.outputs.map(({ name }) => needed(parts, variant, [name]));
  const common = (each[0] ?? []).filter((index) => each.every((indices) => indices.includes(index)));
  return common.length > 0 ? common : (each[0] ?? []);
}

/**
 * @param {import("./types.d.ts").Spec} spec @param {import("./capability.js").Choice} choice @param {LoadOptions} options @param {string[]} skipped
 * @returns {Promise<Model & {trial: Model}>} when its first stage can run
 */
export async function openStages(spec, { variant, device }, options, skipped) {
  const parts = partsOf(variant);
  const first = planned(parts, variant, options.outputs);
  const all = variant.outputs.map(({ name }) => name);
  /** Stages that somebody has asked for: what the progress is about. @type {Set<Part>} */
  const wanted = new Set(first.map((index) => /** @type {Part} */ (parts[index])));
  let scope = new AbortController();
  let turn = Promise.resolve();
  let last = Promise.resolve();
  /** @type {Promise<void> | undefined} */
  let disposed;

  const stop = () => {
    scope.abort(options.signal?.reason);
    scope = new AbortController();
  };
  options.signal?.throwIfAborted();
  options.signal?.addEventListener("abort", stop, { once: true });

  /** @param {keyof Part["have"] | "bytes"} key */
  const sum = (key) => [...wanted].reduce((total, part) => total + Number(key === "bytes" ? part.bytes : part.have[key]), 0);
  let shown = 0;
  const tell = () => {
    const [loaded, total] = [sum("loaded"), sum("bytes")];
    shown = Math.max(shown, loaded);
    const phase = sum("ready") === wanted.size ? "ready" : loaded < total ? "download" : "session";
    options.onProgress?.({ phase, loaded: shown, total, fromCache: sum("fromCache"), entry: spec.name });
  };

  /** @param {number} index @returns {Promise<Model>} */
  const opened = (index) => {
    const part = /** @type {Part} */ (parts[index]);
    return (part.opening ??= begin(part));
  };
  /** Its fetches begin when those of the stage before are done. @param {Part} part */
  const begin = (part) => {
    wanted.add(part);
    const { signal } = scope;
    const before = turn;
    /** @type {() => void} */
    let here = () => {};
    turn = new Promise((resolve) => (here = resolve));
    /** @param {import("./types.d.ts").Progress} progress */
    const onProgress = ({ phase, loaded, fromCache }) => {
      if (!part.have.ready && !part.ahead) part.have = { loaded, fromCache, ready: false };
      if (phase === "ready") part.have.ready = true;
      if (phase !== "download") here();
      tell();
    };
    const opening = before.then(() => open(spec, { variant: part.variant, device }, { ...options, outputs: undefined, signal, onProgress }, skipped));
    opening.catch(() => {
      if (part.opening === opening) part.opening = undefined; // whoever needs it next tries again
    }).finally(here);
    return opening;
  };
  /** Into the device's store alone, while another stage has the memory. @param {number | undefined} index */
  const ahead = (index) => {
    const part = parts[index ?? -1];
    if (!part || part.opening || part.ahead) return;
    wanted.add(part);
    const { signal } = scope;
    const files = filesOf(part.variant);
    const have = files.map(() => 0);
    const cached = files.map(() => 0);
    const update = (/** @type {number} */ file, /** @type {number} */ bytes, /** @type {boolean} */ known) => {
      have[file] = bytes;
      cached[file] = known ? bytes : 0;
      part.have = { loaded: add(have), fromCache: add(cached), ready: false };
      tell();
    };
    const fetched = async (/** @type {boolean} */ kept) => {
      if (!kept) return;
      await fetchAhead(spec, files, false, 1, signal, update);
      part.ahead = true;
    };
    turn = Promise.all([turn, keeps()])
      .then(([, kept]) => fetched(kept))
      .catch(() => {}); // opening it says what is wrong
  };

  /** @param {readonly number[]} indices @param {Values} values what is known; filled with what the stages make @param {readonly string[]} outputs */
  const runThrough = async (indices, values, outputs) => {
    if (!options.release) indices.forEach((index) => void opened(index));
    for (const [place, index] of indices.entries()) {
      const part = /** @type {Part} */ (parts[index]);
      const later = new Set([...outputs, ...indices.slice(place + 1).flatMap((each) => parts[each]?.variant.inputs.map(({ name }) => name) ?? [])]);
      const model = await opened(index);
      if (options.release) ahead(indices[place + 1]);
      const feeds = Object.fromEntries(part.variant.inputs.map(({ name }) => [name, values[name]]));
      const made = part.variant.outputs.map(({ name }) => name).filter((name) => later.has(name));
      Object.assign(values, await model.run(/** @type {any} */ (feeds), { outputs: made }));
      if (options.release) await close(part);
      for (const name of Object.keys(values)) if (!later.has(name)) delete values[name];
    }
    return values;
  };
  /** @param {Part} part */
  const close = async (part) => {
    const { opening } = part;
    part.opening = undefined;
    await (await opening?.catch(() => undefined))?.dispose();
  };

  /** One after the other: two would hold two stages. @template T @param {() => Promise<T>} task @returns {Promise<T>} */
  const inTurn = (task) => {
    const done = last.then(task);
    last = done.then(() => {}, () => {});
    return done;
  };

  /** @param {Record<string, unknown>} feeds @param {readonly number[]} indices @param {readonly string[]} outputs */
  const runFor = async (feeds, indices, outputs) => {
    if (disposed) throw new MbundleError("disposed", `${spec.name} has been disposed of.`);
    const values = /** @type {Values} */ (Object.assign(Object.create(null), Object.fromEntries(fitFeeds(inputsOf(indices), known(feeds, indices)))));
    const run = () => runThrough(indices, values, outputs).catch(async (error) => raise(await explained(spec, error, scope.signal)));
    if (!options.release) return run();
    return inTurn(run);
  };
  /** @param {readonly number[]} indices */
  const inputsOf = (indices) => {
    const taken = new Set(indices.flatMap((index) => parts[index]?.variant.inputs.map(({ name }) => name) ?? []));
    return variant.inputs.filter(({ name }) => taken.has(name));
  };
  /** Without the inputs that only other stages take. @param {Record<string, unknown>} feeds @param {readonly number[]} indices */
  const known = (feeds, indices) => {
    if (typeof feeds !== "object" || feeds === null) return feeds;
    const idle = new Set(variant.inputs.map(({ name }) => name));
    inputsOf(indices).forEach(({ name }) => idle.delete(name));
    return Object.fromEntries(Object.entries(feeds).filter(([name]) => !idle.has(name)));
  };

  const run = async (/** @type {any} */ feeds, /** @type {import("./types.d.ts").RunOptions<string>} */ { outputs = options.outputs ?? all } = {}) => {
    const values = await runFor(feeds, needed(parts, variant, outputs), outputs);
    return Object.fromEntries(outputs.map((name) => [name, values[name]]));
  };
  /** @type {Model} */
  const model = {
    info: {
      entry: spec.name, variant: variant.name, device, worker: false, skipped,
      get downloaded() { return sum("loaded") - sum("fromCache"); },
      get fromCache() { return sum("fromCache"); },
    },
    inputs: variant.inputs,
    outputs: variant.outputs,
    run: /** @param {any} feeds @param {any} [given] @returns {Promise<any>} */ (feeds, given) => /** @type {any} */ (advised(run(feeds, given), spec.name)),
    onUpdate: () => () => {},
    dispose: () => (disposed ??= end()),
  };
  const end = async () => {
    options.signal?.removeEventListener("abort", stop);
    scope.abort(new MbundleError("disposed", `${spec.name} has been disposed of.`));
    await last;
    await Promise.all(parts.map(close));
  };
  /** What a trial run goes through: no stage that nobody has asked for. */
  const made = first.flatMap((index) => parts[index]?.variant.outputs.map(({ name }) => name) ?? []);
  const trial = { ...model, inputs: inputsOf(first), run: (/** @type {any} */ feeds) => /** @type {any} */ (runFor(feeds, first, made)) };
  for (const index of options.release ? first.slice(0, 1) : first) void opened(index);
  if (options.release) ahead(first[1]);
  try {
    if (first[0] !== undefined) await opened(first[0]);
  } catch (error) {
    scope.abort(error);
    await Promise.all(parts.map(close));
    throw error;
  }
  const writer = variant.generation && await import("./relay.js").catch(() => undefined);
  if (!writer) return { ...model, info: model.info, trial };
  /** What a text runs through. @type {import("./relay.js").Stage[]} */
  const relay = parts.map((part, index) => ({
    variant: part.variant,
    open: () => opened(index).then((stage) => /** @type {any} */ (stage).parts, async (error) => raise(await explained(spec, error, scope.signal))),
    close: () => close(part),
  }));
  const writing = writer.relayed(relay, variant, model, options.release ? inTurn : undefined);
  return Object.assign({}, writing, { trial: writing });
}
