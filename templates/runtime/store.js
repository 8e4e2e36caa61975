// Files by content hash, kept on the device and shared by all entries, variants and versions of this origin.
// One small interface; the Cache API behind it, the private file system for large models, or memory where there is none
// or no room.

import { parts } from "./fetch.js";
import { within } from "./scope.js";
import { passing } from "./scratch.js";

export const NAME = "mbundle-1";
const SILENCE_MS = 8_000;
export const NOTE = "note-";

/**
 * @typedef {object} Store
 * @property {boolean} shared with other tabs and later visits
 * @property {Cache} [cache] what it stands on, for shelf.js
 * @property {{list: () => Promise<string[]>, sizes: () => Promise<number[]>}} [files] large ones lie in the private file system
 * @property {(sha256: string, target: Uint8Array<ArrayBuffer>, onBytes: (bytes: number) => void) => Promise<boolean>} read
 *   fills `target`; false: not there, or not of this size. The caller verifies what comes back.
 * @property {(sha256: string, bytes: Uint8Array<ArrayBuffer>, onCopied?: () => void) => Promise<void>} write
 * @property {(sha256: string) => Promise<boolean>} has
 * @property {(sha256: string) => Promise<void>} remove
 * @property {(key: string, text?: string | null) => Promise<string | undefined>} note reads a short text that was left
 *   under a key, after replacing it if another is given (null: removing it); what comes back is not trusted
 */

/** @type {Promise<Store> | undefined} */
let opened;

/** What differs between a page and a worker. @type {{openWorker?: () => Promise<Worker | undefined>}} */
export const hooks = {};

/** The store of this page; the same one each time. */
export const openStore = () => (opened ??= openFirst());

const openFirst = async () => {
  const cache = await openCache().catch(() => undefined);
  if (!cache) return (await import("./memory.js")).memory;
  const folder = await navigator.storage?.getDirectory?.().then((root) => root.getDirectoryHandle(NAME)).catch(() => undefined);
  return folder ? withFiles(cacheStore(cache)) : cacheStore(cache);
};

/** Before much is written. */
export const forLarge = () => (opened = openStore().then((store) => (store.shared && !store.files ? withFiles(store) : store)));

/** @param {Store} store @returns {Promise<Store>} */
const withFiles = (store) => import("./opfs.js").then((opfs) => opfs.withFiles(store)).catch(() => store);

/** Private windows and insecure origins have no Cache API, or refuse it. */
const openCache = async () => globalThis.caches?.open(NAME);

/** Any URL of our own origin does as a key; nothing is ever fetched from it. @param {string} sha256 */
const keyOf = (sha256) => `${location.origin}/.mbundle/${sha256}`;

/** @param {Cache} cache @returns {Store} */
function cacheStore(cache) {
  return {
    shared: true,
    cache,
    async read(sha256, target, onBytes) {
      const response = await cache.match(keyOf(sha256));
      if (!response?.body || Number(response.headers.get("content-length")) !== target.length) return false;
      return await fillFrom(response.body, target, onBytes);
    },
    async write(sha256, bytes, onCopied) {
      const headers = { "content-type": "application/octet-stream", "content-length": `${bytes.length}` };
      const response = new Response(passing(bytes), { headers });
      onCopied?.();
      await cache.put(keyOf(sha256), response);
    },
    has: async (sha256) => (await cache.match(keyOf(sha256))) !== undefined,
    async remove(sha256) {
      await cache.delete(keyOf(sha256));
    },
    async note(key, text) {
      if (text) await cache.put(keyOf(NOTE + key), new Response(text));
      if (text === null) await cache.delete(keyOf(NOTE + key));
      return (await cache.match(keyOf(NOTE + key)))?.text();
    },
  };
}

/**
 * A stored body that falls silent (seen in Chromium 156: one in a few hundred, with many open at once) is as good as none.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body @param {Uint8Array} target @param {(bytes: number) => void} onBytes
 * @returns {Promise<boolean>} whether `target` is full
 */
export async function fillFrom(body, target, onBytes) {
  const pieces = parts(body);
  let have = 0;
  for (;;) {
    const result = await within(SILENCE_MS, pieces.next());
    if (!result || result.done) return have === target.length;
    if (have + result.value.length > target.length) return false;
    target.set(result.value, have);
    onBytes((have += result.value.length));
  }
}
