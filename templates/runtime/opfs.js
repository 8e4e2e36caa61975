// The files of large models in the origin's private file system: of 450 MB, on two cores, writing takes 0.8-1.0 s and
// reading 0.12 s there, where the Cache API takes 2.2-2.5 s and 1.1 s at three times the work. Only a worker may write. Small files and notes stay in the cache; what cannot be written here goes there, too.

import { scratch } from "./scratch.js";
import { NAME, fillFrom } from "./store.js";

const SMALL = 256 << 10; // bytes; a worker is not worth its start
const OLD_MS = 600_000; // a file under a name of its own that long is what a closed tab has left

/** @typedef {import("./store.js").Store} Store */

/** @param {Store} store @returns {Promise<Store>} */
export async function withFiles(store) {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(NAME, { create: true });
  if (!("move" in FileSystemFileHandle.prototype)) return store;
  let broken = false;
  return {
    ...store,
    files: {
      list: async () => (await filesIn(folder)).filter(isFree).map(({ name }) => name),
      sizes: async () => (await filesIn(folder)).map(({ size }) => size),
    },
    read: async (sha256, target, onBytes) => (await readFile(folder, sha256, target, onBytes)) || store.read(sha256, target, onBytes),
    has: async (sha256) => (await find(folder, sha256)) !== undefined || store.has(sha256),
    async write(sha256, bytes, onCopied) {
      let copied = false;
      try {
        if (!broken && bytes.length > SMALL && (await (await import("./keeper.js")).keep(sha256, bytes, () => ((copied = true), onCopied?.())))) return;
      } catch (error) {
        if (/** @type {Error} */ (error).name === "QuotaExceededError") throw error;
        broken = true;
      }
      if (!copied) await store.write(sha256, bytes, onCopied); // else they have been given back: another visit stores them
    },
    async remove(sha256) {
      await folder.removeEntry(sha256).catch(() => {}); // not there, or another tab is reading it
      await store.remove(sha256);
    },
  };
}

/**
 * In a worker (see keeper.js). The file gets its name when it is whole, so that a tab which closes leaves none that is cut.
 * @param {string} sha256 @param {Uint8Array<ArrayBuffer>} bytes
 */
export async function keep(sha256, bytes) {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(NAME, { create: true });
  const name = `${sha256}.${crypto.randomUUID()}`;
  const file = /** @type {any} */ (await folder.getFileHandle(name, { create: true }));
  try {
    const access = await file.createSyncAccessHandle();
    try {
      access.truncate(bytes.length); // room is asked for once
      if (access.write(bytes, { at: 0 }) !== bytes.length) throw new DOMException("no room", "QuotaExceededError");
    } finally {
      access.close();
    }
    await file.move(sha256);
  } catch (error) {
    await folder.removeEntry(name).catch(() => {});
    throw error;
  }
}

/** @param {FileSystemDirectoryHandle} folder @param {string} sha256 @returns {Promise<any>} */
const find = (folder, sha256) => folder.getFileHandle(sha256).catch(() => undefined);

/** @param {FileSystemDirectoryHandle} folder @param {string} sha256 @param {Uint8Array<ArrayBuffer>} target @param {(bytes: number) => void} onBytes */
async function readFile(folder, sha256, target, onBytes) {
  const file = await find(folder, sha256);
  if (!file) return false;
  // Refused where another tab has the file open and the browser knows no readers beside each other.
  const access = await file.createSyncAccessHandle?.({ mode: "read-only" }).catch(() => undefined);
  if (!access) {
    const blob = await file.getFile();
    return blob.size === target.length && fillFrom(blob.stream(), target, onBytes);
  }
  try {
    if (access.getSize() !== target.length) return false;
    const place = scratch(target.length) ?? target;
    if (access.read(place, { at: 0 }) !== target.length) return false;
    if (place !== target) target.set(place);
  } finally {
    access.close();
  }
  onBytes(target.length);
  return true;
}

/** @param {FileSystemDirectoryHandle} folder @returns {Promise<File[]>} those that have not been removed meanwhile */
async function filesIn(folder) {
  /** @type {Promise<File | undefined>[]} */
  const files = [];
  for await (const handle of /** @type {any} */ (folder).values()) files.push(handle.getFile().catch(() => undefined));
  return (await Promise.all(files)).filter((file) => file !== undefined);
}

/** Not just being written. @param {File} file */
const isFree = ({ name, lastModified }) => !name.includes(".") || Date.now() - lastModified > OLD_MS;
