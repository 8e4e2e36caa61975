// Stands in for `models.js` and `entries/<name>.js` until there is a first build: the page need not be opened again when it is
// done, and hears what is wrong if it fails. The server fills in its own path.

import { firstBuild } from "/__mbundle/dev/connect.js";
import { start } from "/__mbundle/dev/server.js";

start("__OUTPUT__");

const real = firstBuild.then((version) => import(new URL(`${"__SELF__"}?build=${version}`, import.meta.url).href));
/** @param {string} name @returns {(...given: unknown[]) => Promise<any>} */
const later = (name) => async (...given) => (await real)[name](...given);

/** Not known yet. @type {readonly string[]} */
export const entries = [];
export const load = later("load");
export const preload = later("preload");
export const prefetch = later("prefetch");
export const cacheInfo = later("cacheInfo");
export const clearCache = later("clearCache");
export const persist = later("persist");
export const setBase = later("setBase");
export class MbundleError extends Error {}
export default { load, preload, prefetch };
