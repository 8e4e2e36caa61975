// Files by content hash, kept on the device and shared by all entries, variants and versions of this origin.
// One small interface; the Cache API behind it, or memory where there is none or no room.

import { parts } from "./fetch.js";
import { within } from "./scope.js";
import { passing } from "./scratch.js";

const NAME = "mbundle-1";
const SILENCE_MS = 8_000;
const NOTE = "note-";

/**
 * @typedef {object} Store
 * @property {boolean} shared with other tabs and later visits
 * @property {(sha256: string, target: Uint8Array<ArrayBuffer>, onBytes: (bytes: number) => void) => Promise<boolean>} read
 *   fills `target`; false: not there, or not of this size. The caller verifies what comes back.
 * @property {(sha256: string, bytes: Uint8Array<ArrayBuffer>, onCopied?: () => void) => Promise<void>} write
 * @property {(sha256: string) => Promise<boolean>} has
 * @property {(sha256: string) => Promise<void>} remove
 * @property {() => Promise<string[]>} list the sha256 of all files
 * @property {() => Promise<number[]>} sizes of all files, in bytes
 * @property {(key: string, text?: string | null) => Promise<string | undefined>} note reads a short text that was left
 *   under a key, after replacing it if another is given (null: removing it); what comes back is not trusted
 * @property {() => Promise<string[]>} notes their keys
 */

/** @type {Promise<Store> | undefined} */
let opened;

/** The store of this page; the same one each time. */
export const openStore = () => (opened ??= openCache().catch(() => undefined).then((cache) => (cache ? cacheStore(cache) : memoryStore())));

/** Private windows and insecure origins have no Cache API, or refuse it. */
const openCache = async () => globalThis.caches?.open(NAME);

/** Any URL of our own origin does as a key; nothing is ever fetched from it. @param {string} sha256 */
const keyOf = (sha256) => `${location.origin}/.mbundle/${sha256}`;

/** @param {Cache} cache @returns {Store} */
function cacheStore(cache) {
  const names = async () => (await cache.keys()).map(({ url }) => url.slice(url.lastIndexOf("/") + 1));
  return {
    shared: true,
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
    list: async () => (await names()).filter((name) => !name.startsWith(NOTE)),
    sizes: async () => {
      const files = await cache.matchAll();
      return files.filter(({ headers }) => headers.has("content-length")).map(({ headers }) => Number(headers.get("content-length")));
    },
    async note(key, text) {
      if (text) await cache.put(keyOf(NOTE + key), new Response(text));
      if (text === null) await cache.delete(keyOf(NOTE + key));
      return (await cache.match(keyOf(NOTE + key)))?.text();
    },
    notes: async () => (await names()).filter((name) => name.startsWith(NOTE)).map((name) => name.slice(NOTE.length)),
  };
}

/**
 * A stored body that falls silent (seen in Chromium 156: one in a few hundred, with many open at once) is as good as none.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body @param {Uint8Array} target @param {(bytes: number) => void} onBytes
 * @returns {Promise<boolean>} whether `target` is full
 */
async function fillFrom(body, target, onBytes) {
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

/** What `preload` brought, until the first `load` takes it: two copies of weights are never kept. @returns {Store} */
export function memoryStore() {
  /** @type {Map<string, Uint8Array<ArrayBuffer>>} */
  const held = new Map();
  return {
    shared: false,
    async read(sha256, target, onBytes) {
      const bytes = held.get(sha256);
      if (bytes?.length !== target.length) return false;
      target.set(bytes);
      held.delete(sha256);
      onBytes(target.length);
      return true;
    },
    async write(sha256, bytes) {
      held.set(sha256, bytes);
    },
    has: async (sha256) => held.has(sha256),
    async remove(sha256) {
      held.delete(sha256);
    },
    list: async () => [...held.keys()],
    sizes: async () => [...held.values()].map(({ length }) => length),
    note: async () => undefined,
    notes: async () => [],
  };
}
