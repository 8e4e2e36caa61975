// The API of one entry, and of all entries of a build.

import { MbundleError, advised } from "./errors.js";
import { loadEntry, preloadEntry } from "./load.js";

export { MbundleError } from "./errors.js";
export { setBase } from "./place.js";

/** @typedef {import("./types.d.ts").Hint} Hint */
/** @typedef {() => Promise<typeof import("./ahead.js")>} Ahead the module for what is fetched before anyone needs it */

/**
 * @param {import("./types.d.ts").Spec} spec
 * @param {() => Promise<{loadRemote: typeof loadEntry}>} remote the module that loads in a worker
 * @param {() => Promise<typeof import("./assets.js")>} files the module for assets
 * @param {Ahead} later
 * @returns {import("./types.d.ts").Entry<any>}
 */
export const makeEntry = (spec, remote, files, later) => {
  return {
    name: spec.name,
    load: (options = {}) => advised(options.worker ? remote().then(({ loadRemote }) => loadRemote(spec, options)) : loadEntry(spec, options), spec.name),
    preload: (options = {}) => advised(preloadEntry(spec, options), spec.name),
    prefetch: async (options = {}) => {
      await (await later()).idle();
      await advised(preloadEntry(spec, { ...options, priority: -1 }), spec.name);
    },
    assets: (options = {}) => advised(files().then(({ assetsOf }) => assetsOf(spec, options)), spec.name),
  };
};

/**
 * @param {readonly (readonly [string, Hint, () => Promise<{default: import("./types.d.ts").Entry<any>}>])[]} modules
 * @param {Ahead} later
 * @returns {import("./types.d.ts").Api<any>}
 */
export function makeApp(modules, later) {
  const table = new Map(modules.map(([name, , module]) => [name, module]));
  /** @param {string} name */
  const find = (name) => advised(open(name));
  /** @param {string} name */
  const open = async (name) => {
    const module = table.get(name);
    if (!module) throw new MbundleError("unknown-entry", `There is no entry ${JSON.stringify(name)}; this build has ${[...table.keys()].join(", ")}.`);
    return (await importedEntry(name, module)).default;
  };
  for (const [name, hint] of modules) if (hint !== "lazy") later().then(({ ahead }) => ahead(hint, () => find(name))).catch(() => {});
  return {
    entries: Object.freeze([...table.keys()]),
    load: async (name, options) => (await find(name)).load(options),
    preload: async (name, options) => (await find(name)).preload(options),
    prefetch: async (name, options) => (await find(name)).prefetch(options),
    assets: async (name, options) => (await find(name)).assets(options),
  };
}

/** @template T @param {string} name @param {() => Promise<T>} module */
async function importedEntry(name, module) {
  try {
    return await module();
  } catch (cause) {
    throw new MbundleError("network", `The module of ${name} could not be imported.`, { entry: name, cause });
  }
}
