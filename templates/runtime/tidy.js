// What of the store is of no use any more: asked once a build, behind its first load.

import { LIVE } from "./announce.js";
import { pause } from "./scope.js";
import { list, notes } from "./shelf.js";
import { openStore } from "./store.js";

const FORGET_MS = 60 * 86_400_000; // a build that no page has loaded for 60 days is gone
const WAIT_MS = 1_000;

/** Removes the files that no build names any more. */
export async function collect() {
  const store = await openStore();
  if (!store.shared) return;
  await pause(WAIT_MS); // the page has better things to do now
  const files = await list(store);
  const named = await namedIn(store);
  for (const sha256 of files) if (!named.has(sha256)) await store.remove(sha256);
}

/** @param {import("./store.js").Store} store @returns {Promise<Set<string>>} */
async function namedIn(store) {
  const named = new Set();
  for (const key of await notes(store)) {
    if (!key.startsWith(LIVE)) continue;
    const { at, live } = JSON.parse((await store.note(key)) ?? "{}");
    if (Date.now() - at < FORGET_MS) live.forEach((/** @type {string} */ sha256) => named.add(sha256));
    else await store.note(key, null);
  }
  return named;
}
