// Files of the build in use, in memory: a new build shares most of them, and reading and verifying those again from the
// browser's store is most of what a swap would take (90 MB: 0.5 s). They stay where they were fetched to, and the next build
// is opened from there: copying them takes a tenth of a second.

/** @typedef {import("../runtime/types.d.ts").Kept} Kept @typedef {Uint8Array<ArrayBuffer>} Bytes @typedef {Map<string, Bytes>} Files */

const MOST = 512 << 20; // bytes of one entry; of what is beyond, the store is read

/** @typedef {{version: string, now: Files, before: Files}} Shelf of an entry: files of this build, and of the one before it */
/** @type {Map<string, Shelf>} */
const shelves = new Map();
/** What was given to a layout as it is. @type {WeakMap<ArrayBuffer, Bytes[]>} */
const lent = new WeakMap();

/** For loading this build of the entry. @param {string} name @param {string} version @returns {Kept} */
export function shelfOf(name, version) {
  const last = shelves.get(name);
  const shelf = last?.version === version ? last : { version, now: new Map(), before: new Map([...(last?.before ?? []), ...(last?.now ?? [])]) };
  shelves.set(name, shelf);
  const known = (/** @type {string} */ sha256) => shelf.now.get(sha256) ?? shelf.before.get(sha256);
  return {
    span: ({ chunks }, from, to) => lend(joined(chunks.filter(({ offset }) => offset >= from && offset < to).map(({ sha256 }) => known(sha256)))),
    fill(sha256, target) {
      if (isLent(target)) return true;
      const bytes = known(sha256);
      if (bytes) target.set(bytes);
      return bytes !== undefined;
    },
    set(sha256, bytes) {
      if (sizeOf(shelf.now) + bytes.length > MOST) return;
      shelf.now.set(sha256, bytes);
      Object.defineProperty(bytes.buffer, "transfer", { value: undefined, configurable: true }); // which is how view.js frees it
    },
  };
}

/** All models of the entry are of its newest build. @param {string} name */
export const tidy = (name) => shelves.get(name)?.before.clear();

/** No model of the entry is open any more. @param {string} name */
export const forget = (name) => shelves.delete(name);

/** @param {(Bytes | undefined)[]} pieces @returns {Bytes | undefined} all of them, if they lie side by side */
function joined([first, ...others]) {
  if (!first) return undefined;
  let end = first.byteOffset + first.length;
  for (const piece of others) {
    if (piece?.buffer !== first.buffer || piece.byteOffset !== end) return undefined;
    end += piece.length;
  }
  return new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset);
}

/** @param {Bytes | undefined} bytes */
function lend(bytes) {
  if (bytes && !isLent(bytes)) lent.set(bytes.buffer, [...(lent.get(bytes.buffer) ?? []), bytes]);
  return bytes;
}

/** @param {Bytes} bytes */
const isLent = ({ buffer, byteOffset, length }) => lent.get(buffer)?.some((one) => one.byteOffset <= byteOffset && byteOffset + length <= one.byteOffset + one.length) ?? false;

/** @param {Files} files */
const sizeOf = (files) => [...files.values()].reduce((sum, { length }) => sum + length, 0);
