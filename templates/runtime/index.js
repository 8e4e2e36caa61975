// What the generated modules call. `entry` makes the API of one entry, `app` that of all entries of a build. What few
// pages need (workers, upkeep) is imported when it is asked for.

import { MbundleError, advised } from "./errors.js";
import { loadEntry, preloadEntry } from "./load.js";

export { MbundleError } from "./errors.js";
export { setBase } from "./place.js";

/** @typedef {import("./types.d.ts").Hint} Hint */

/**
 * @param {import("./types.d.ts").Spec} spec
 * @returns {import("./types.d.ts").Entry<any>}
 */
export const entry = (spec) => {
  const own = { ...spec, canStartWorker: async () => (await import("./worker-check.js")).canStartWorker() };
  return {
    name: spec.name,
    load: (options = {}) => advised(options.worker ? import("./remote.js").then(({ loadRemote }) => loadRemote(own, options)) : loadEntry(own, options), spec.name),
    preload: (options = {}) => advised(preloadEntry(own, options), spec.name),
    prefetch: async (options = {}) => {
      await idle();
      await advised(preloadEntry(own, { ...options, priority: -1 }), spec.name);
    },
  };
};

/**
 * @param {readonly (readonly [string, Hint, () => Promise<{default: import("./types.d.ts").Entry<any>}>])[]} modules
 * @returns {import("./types.d.ts").Api<any>}
 */
export function app(modules) {
  const table = new Map(modules.map(([name, , module]) => [name, module]));
  /** @param {string} name */
  const find = (name) => advised(open(name));
  /** @param {string} name */
  const open = async (name) => {
    const module = table.get(name);
    if (!module) throw new MbundleError("unknown-entry", `There is no entry ${JSON.stringify(name)}; this build has ${[...table.keys()].join(", ")}.`);
    return (await importedEntry(name, module)).default;
  };
  for (const [name, hint] of modules) if (hint !== "lazy") ahead(hint, () => find(name));
  return {
    entries: Object.freeze([...table.keys()]),
    load: async (name, options) => (await find(name)).load(options),
    preload: async (name, options) => (await find(name)).preload(options),
    prefetch: async (name, options) => (await find(name)).prefetch(options),
  };
}

/** As the build's config says: an entry that is `eager` is fetched now, one that is `idle` when the page has nothing else to do. @param {Hint} hint @param {() => Promise<import("./types.d.ts").Entry<any>>} find */
function ahead(hint, find) {
  if (/** @type {any} */ (globalThis.navigator)?.connection?.saveData) return;
  const fetched = hint === "eager" ? find().then((it) => it.preload()) : find().then((it) => it.prefetch());
  fetched.catch(() => {}); // whoever loads it will hear of it
}

/** The page has loaded and has time. @returns {Promise<void>} */
async function idle() {
  const { document, requestIdleCallback } = globalThis;
  if (document && document.readyState !== "complete") await new Promise((resolve) => addEventListener("load", resolve, { once: true }));
  await new Promise((resolve) => (requestIdleCallback ? requestIdleCallback(resolve) : setTimeout(resolve, 200)));
}

/** @type {() => Promise<import("./types.d.ts").CacheInfo>} */
export const cacheInfo = async () => (await import("./upkeep.js")).cacheInfo();
/** @type {() => Promise<void>} */
export const clearCache = async () => (await import("./upkeep.js")).clearCache();
/** @type {() => Promise<boolean>} */
export const persist = async () => (await import("./upkeep.js")).persist();

/** @template T @param {string} name @param {() => Promise<T>} module */
async function importedEntry(name, module) {
  try {
    return await module();
  } catch (cause) {
    throw new MbundleError("network", `The module of ${name} could not be imported.`, { entry: name, cause });
  }
}
