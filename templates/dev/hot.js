// Models that outlive their builds. What `load` gives delegates to an inner model; a new build is loaded beside it, the two
// change places between two runs, and the old one is disposed of when its runs are done. No run ever fails for it.

import { forget, shelfOf, tidy } from "./keep.js";

/**
 * @typedef {import("../runtime/types.d.ts").Entry<any>} Entry
 * @typedef {import("../runtime/types.d.ts").Model} Model
 * @typedef {import("../runtime/types.d.ts").LoadOptions} LoadOptions
 * @typedef {import("../runtime/types.d.ts").Spec} Spec
 * @typedef {{entry: Entry, version: string}} Build `version`: sha256 of its manifest
 * @typedef {{name: string, refresh: () => Promise<void>}} Living
 */

/** Of each entry that the page has imported. @type {Map<string, Build>} */
const newest = new Map();
/** What a hot entry was made of. @type {WeakMap<object, Build>} */
const builds = new WeakMap();
/** Of each entry, the last renewal that has come to its end; answers may overtake each other. @type {Map<string, number>} */
const renewed = new Map();
let renewals = 0;
/** Models that are open. @type {Set<Living>} */
const living = new Set();

/**
 * @param {(spec: Spec) => Entry} plain the runtime's `entry`
 * @returns {(spec: Spec) => Entry}
 */
export const hot = (plain) => (spec) => {
  const build = { entry: plain(spec), version: spec.manifest.sha256 };
  if (!newest.has(spec.name)) newest.set(spec.name, build);
  const now = () => newest.get(spec.name) ?? build;
  /** @type {Entry} */
  const it = {
    name: spec.name,
    load: async (options = {}) => {
      const { entry, version } = now();
      return alive(spec.name, version, await entry.load(keeping(options, spec.name, version)), options);
    },
    preload: (options) => now().entry.preload(options),
    prefetch: (options) => now().entry.prefetch(options),
    assets: (options) => now().entry.assets(options),
  };
  builds.set(it, build);
  return it;
};

/** Names of the entries that are of another build than this one. @param {string} version */
export const outdated = (version) => [...newest].filter(([, build]) => build.version !== version).map(([name]) => name);

/**
 * Takes the new build of an entry into use; resolves when all its models have changed. Nothing to do for an entry that the page
 * has not imported yet.
 * @param {string} name @param {string} version @param {import("./events.d.ts").ImportEntry} importEntry
 */
export async function renew(name, version, importEntry) {
  const turn = ++renewals;
  const isLate = () => (renewed.get(name) ?? 0) > turn;
  if (!newest.has(name)) return;
  if (newest.get(name)?.version === version) return void renewed.set(name, turn);
  const { default: it } = await importEntry(name, version);
  if (isLate()) return; // what was asked for later is here already
  renewed.set(name, turn);
  const build = builds.get(it);
  if (!build) throw new Error(`The new module of ${name} does not come from the dev server.`);
  newest.set(name, build);
  await Promise.all(Array.from(living, (model) => (model.name === name ? model.refresh() : undefined)));
  if (!isLate()) tidy(name);
}

/** What only some models can, of the one that is current. @param {() => Model} current */
const writing = (current) =>
  "generate" in current()
    ? {
        get generation() {
          return /** @type {any} */ (current()).generation;
        },
        generate: (/** @type {unknown} */ options) => /** @type {any} */ (current()).generate(options),
      }
    : {};

/** A worker has a memory of its own. @param {LoadOptions} options @param {string} name @param {string} version @returns {import("../runtime/types.d.ts").OpenOptions} */
const keeping = (options, name, version) => (options.worker ? options : { ...options, kept: shelfOf(name, version) });

/**
 * @param {string} name @param {string} version of `current` @param {Model} current @param {LoadOptions} options
 * @returns {Model}
 */
function alive(name, version, current, { signal: _, onProgress: __, ...options }) {
  /** @type {Set<(info: import("../runtime/types.d.ts").Info) => void>} */
  const listeners = new Set();
  let disposed = false;
  let attempt = new AbortController();

  const refresh = async () => {
    attempt.abort(); // of a build that is not the newest any more
    const { signal } = (attempt = new AbortController());
    const build = /** @type {Build} */ (newest.get(name));
    if (build.version === version) return;
    const next = await build.entry.load({ ...keeping(options, name, build.version), signal }).catch((error) => {
      if (!signal.aborted) throw error;
    });
    if (!next || signal.aborted) return void next?.dispose();
    const former = current;
    [current, version] = [next, build.version];
    former.dispose().catch(reportError); // after the runs that it has begun
    for (const listener of [...listeners]) {
      try {
        listener(next.info);
      } catch (error) {
        reportError(error);
      }
    }
  };
  const entry = { name, refresh };
  living.add(entry);
  if (newest.get(name)?.version !== version) refresh().catch(reportError); // a build came while it was loading
  /** @type {Model} */
  const model = {
    get info() {
      return current.info;
    },
    get inputs() {
      return current.inputs;
    },
    get outputs() {
      return current.outputs;
    },
    run: /** @param {any} feeds @param {any} [options] @returns {Promise<any>} */ (feeds, options) => current.run(feeds, options),
    onUpdate: (listener) => {
      if (!disposed) listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    dispose: () => {
      disposed = true;
      living.delete(entry);
      if (![...living].some((model) => model.name === name)) forget(name);
      listeners.clear();
      attempt.abort();
      return current.dispose();
    },
  };
  return Object.defineProperties(model, Object.getOwnPropertyDescriptors(writing(() => current)));
}
