// What the generated modules call. `entry` makes the API of one entry, `app` that of all entries of a build.

import { MbundleError } from "./errors.js";
import { loadEntry, preloadEntry } from "./load.js";

export { MbundleError } from "./errors.js";
export { setBase } from "./place.js";

/**
 * @param {import("./types.d.ts").Spec} spec
 * @returns {import("./types.d.ts").Entry<any>}
 */
export const entry = (spec) => ({
  name: spec.name,
  load: (options = {}) => about(spec.name, loadEntry(spec, options)),
  preload: (options = {}) => about(spec.name, preloadEntry(spec, options)),
});

/**
 * @param {readonly (readonly [string, () => Promise<{default: import("./types.d.ts").Entry<any>}>])[]} modules
 * @returns {import("./types.d.ts").Api<any>}
 */
export function app(modules) {
  const table = new Map(modules);
  /** @param {string} name */
  const find = async (name) => {
    const module = table.get(name);
    if (!module) throw new MbundleError("unknown-entry", `There is no entry ${JSON.stringify(name)}; this build has ${[...table.keys()].join(", ")}.`);
    return (await importedEntry(name, module)).default;
  };
  return {
    entries: Object.freeze([...table.keys()]),
    load: async (name, options) => (await find(name)).load(options),
    preload: async (name, options) => (await find(name)).preload(options),
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

/** Says in which entry an error happened. @template T @param {string} name @param {Promise<T>} promise @returns {Promise<T>} */
async function about(name, promise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof MbundleError) error.entry ??= name;
    throw error;
  }
}
