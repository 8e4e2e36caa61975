// Files of the build in use, in memory: a new build shares most of them, and reading and verifying those again from the
// browser's store is most of what a swap would take (90 MB: 0.5 s).

/** @typedef {import("../runtime/types.d.ts").Kept} Kept @typedef {Map<string, Uint8Array<ArrayBuffer>>} Files */

const MOST = 512 << 20; // bytes of one entry; of what is beyond, the store is read

/** @typedef {{version: string, now: Files, before: Files}} Shelf of an entry: files of this build, and of the one before it */
/** @type {Map<string, Shelf>} */
const shelves = new Map();

/** For loading this build of the entry. @param {string} name @param {string} version @returns {Kept} */
export function shelfOf(name, version) {
  const last = shelves.get(name);
  const shelf = last?.version === version ? last : { version, now: new Map(), before: new Map([...(last?.before ?? []), ...(last?.now ?? [])]) };
  shelves.set(name, shelf);
  return {
    get: (sha256) => shelf.now.get(sha256) ?? shelf.before.get(sha256),
    set: (sha256, bytes) => void (sizeOf(shelf.now) + bytes.length <= MOST && shelf.now.set(sha256, bytes)),
  };
}

/** All models of the entry are of its newest build. @param {string} name */
export const tidy = (name) => shelves.get(name)?.before.clear();

/** No model of the entry is open any more. @param {string} name */
export const forget = (name) => shelves.delete(name);

/** @param {Files} files */
const sizeOf = (files) => [...files.values()].reduce((sum, { length }) => sum + length, 0);
