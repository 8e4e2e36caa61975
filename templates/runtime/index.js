// What the generated modules import. Apart from api.js, so that the worker, which runs all the rest too, does not name
// itself: a bundler would go round in a circle, and Vite's cannot make a worker of what imports a module later in vain. What few pages need is imported when it is asked for.

import { makeApp, makeEntry } from "./api.js";
import { hooks } from "./store.js";

export { MbundleError, setBase } from "./api.js";

hooks.openWorker = async () => (await import("./worker-check.js")).openWorker();
const ahead = () => import("./ahead.js");
const upkeep = () => import("./upkeep.js");
export const cacheInfo = async () => (await upkeep()).cacheInfo();
export const clearCache = async () => (await upkeep()).clearCache();
export const persist = async () => (await upkeep()).persist();

/**
 * @param {import("./types.d.ts").Spec} spec
 * @returns {import("./types.d.ts").Entry<any>}
 */
export const entry = (spec) => makeEntry({ ...spec, canStartWorker: async () => (await import("./worker-check.js")).canStartWorker() }, () => import("./remote.js"), () => import("./assets.js"), ahead);

/** @param {Parameters<typeof makeApp>[0]} modules */
export const app = (modules) => makeApp(modules, ahead);
