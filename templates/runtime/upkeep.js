// What the store holds.

import { filesOf } from "./assemble.js";
import { overflow, tryAgain, usageOf } from "./depot.js";
import { openStore } from "./store.js";

export const LIVE = "live-"; // one note for each build of this origin: the files of its last manifest

/**
 * Writes down what a build consists of, before any of it is stored: what nobody names is removed by whoever tidies next.
 * @param {string} build whatever stays the same from one version of a build to the next
 * @param {import("./types.d.ts").Spec} spec
 * @param {import("./types.d.ts").Manifest} manifest
 */
export async function noteBuild(build, spec, manifest) {
  const store = await openStore();
  if (!store.shared) return;
  const files = [...manifest.entries.values()].flatMap(({ assets, variants }) => [...assets, ...variants.flatMap(filesOf)]);
  const live = [spec.manifest, ...files].map(({ sha256 }) => sha256);
  await store.note(LIVE + (await nameOf(build)), JSON.stringify({ at: Date.now(), live: [...new Set(live)] }));
}

/** @param {string} text */
async function nameOf(text) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns {Promise<import("./types.d.ts").CacheInfo>} */
export async function cacheInfo() {
  const store = await openStore();
  const all = [...(store.shared ? await store.sizes() : []), ...(await overflow.sizes())];
  return { kind: store.shared ? "cache" : "memory", files: all.length, bytes: all.reduce((sum, each) => sum + each, 0), ...(await usageOf()) };
}

/** Removes all that this runtime has stored for this origin; models that are open go on. */
export async function clearCache() {
  const store = await openStore();
  for (const sha256 of await store.list()) await store.remove(sha256);
  for (const key of await store.notes()) await store.note(key, null);
  for (const sha256 of await overflow.list()) await overflow.remove(sha256);
  tryAgain();
}

/** @returns {Promise<boolean>} whether the browser now keeps what is stored also when the device runs out of room */
export const persist = async () => (await globalThis.navigator?.storage?.persist?.().catch(() => false)) ?? false;
