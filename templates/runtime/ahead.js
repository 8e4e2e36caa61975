// What is fetched before anyone needs it.

/** @typedef {import("./types.d.ts").Hint} Hint */

/** As the build's config says: an entry that is `eager` is fetched now, one that is `idle` when the page has nothing else to do. @param {Hint} hint @param {() => Promise<import("./types.d.ts").Entry<any>>} find */
export function ahead(hint, find) {
  if (/** @type {any} */ (globalThis.navigator)?.connection?.saveData) return;
  const fetched = hint === "eager" ? find().then((it) => it.preload()) : find().then((it) => it.prefetch());
  fetched.catch(() => {}); // whoever loads it will hear of it
}

/** The page has loaded and has time. @returns {Promise<void>} */
export async function idle() {
  const { document, requestIdleCallback } = globalThis;
  if (document && document.readyState !== "complete") await new Promise((resolve) => addEventListener("load", resolve, { once: true }));
  await new Promise((resolve) => (requestIdleCallback ? requestIdleCallback(resolve) : setTimeout(resolve, 200)));
}
