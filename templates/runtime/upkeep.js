// What the store holds. Imported when an app asks.

import { tryAgain, usageOf } from "./depot.js";
import { memory } from "./memory.js";
import { list, notes, sizes } from "./shelf.js";
import { openStore } from "./store.js";

/** @returns {Promise<import("./types.d.ts").CacheInfo>} */
export async function cacheInfo() {
  const store = await openStore();
  const all = [...(await sizes(store)), ...(await memory.sizes())];
  return { kind: store.shared ? "cache" : "memory", files: all.length, bytes: all.reduce((sum, each) => sum + each, 0), ...(await usageOf()) };
}

/** Removes all that this runtime has stored for this origin; models that are open go on. */
export async function clearCache() {
  const store = await openStore();
  for (const sha256 of await list(store)) await store.remove(sha256);
  for (const key of await notes(store)) await store.note(key, null);
  for (const sha256 of await memory.list()) await memory.remove(sha256);
  tryAgain();
}

/** @returns {Promise<boolean>} whether the browser now keeps what is stored also when the device runs out of room */
export const persist = async () => (await globalThis.navigator?.storage?.persist?.().catch(() => false)) ?? false;
