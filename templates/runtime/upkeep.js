// What the store holds, and what of it is of no use any more.

import { filesOf } from "./assemble.js";
import { overflow, tryAgain, usageOf } from "./depot.js";
import { openStore } from "./store.js";

const LIVE = "live-"; // one note for each build of this origin: the files of its last manifest
const FORGET_MS = 60 * 86_400_000; // a build that no page has loaded for 60 days is gone
const WAIT_MS = 1_000;

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

/** Removes the files that no build names any more. */
export async function collect() {
  const store = await openStore();
  if (!store.shared) return;
  await new Promise((resolve) => setTimeout(resolve, WAIT_MS)); // the page has better things to do now
  const files = await store.list();
  const named = await namedIn(store);
  for (const sha256 of files) if (!named.has(sha256)) await store.remove(sha256);
}

/** @param {string} text */
async function nameOf(text) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {import("./store.js").Store} store @returns {Promise<Set<string>>} */
async function namedIn(store) {
  const named = new Set();
  for (const key of await store.notes()) {
    if (!key.startsWith(LIVE)) continue;
    const { at, live } = JSON.parse((await store.note(key)) ?? "{}");
    if (Date.now() - at < FORGET_MS) live.forEach((/** @type {string} */ sha256) => named.add(sha256));
    else await store.note(key, null);
  }
  return named;
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
