// The API of one entry, and of all entries of a build.

import { MbundleError, advised } from "./errors.js";
import { loadEntry, preloadEntry } from "./load.js";

export { MbundleError } from "./errors.js";
export { setBase } from "./place.js";

/** @typedef {import("./types.d.ts").Hint} Hint */

/**
 * @param {import("./types.d.ts").Spec} spec
 * @param {() => Promise<{loadRemote: typeof loadEntry}>} remote the module that loads in a worker
 * @param {() => Promise<typeof import("./assets.js")>} files the module for assets
 * @returns {import("./types.d.ts").Entry<any>}
 */
export const makeEntry = (spec, remote, files) => {
  return {
    name: spec.name,
    load: (options = {}) => advised(options.worker ? remote().then(({ loadRemote }) => loadRemote(spec, options)) : loadEntry(spec, options), spec.name),
    preload: (options = {}) => advised(preloadEntry(spec, options), spec.name),
    prefetch: async (options = {}) => {
      await idle();
      await advised(preloadEntry(spec, { ...options, priority: -1 }), spec.name);
    },
    assets: (options = {}) => advised(files().then(({ assetsOf }) => assetsOf(spec, options)), spec.name),
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
    assets: async (name, options) => (await find(name)).assets(options),
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

/** @template T @param {string} name @param {() => Promise<T>} module */
async function importedEntry(name, module) {
  try {
    return await module();
  } catch (cause) {
    throw new MbundleError("network", `The module of ${name} could not be imported.`, { entry: name, cause });
  }
}
