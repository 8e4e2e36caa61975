// The stores of this page as one: the device's, as long as it has room, and memory for what `preload` brought in vain.

import { forLarge, openStore } from "./store.js";

/** @typedef {import("./types.d.ts").FileRef} FileRef */

/** What `preload` brought in vain, as soon as there is such. @type {typeof import("./memory.js").memory | undefined} */
let overflow;
let full = false;
export const LARGE = 64 << 20; // bytes; from here on the private file system is worth its start, and copies are not
export const BIG = 192 << 20; // bytes; from here on memory counts more than a second

/** Whether what is stored now will be found again. */
export const keeps = async () => (await isShared()) && !full;

/** Whether several tabs see what one of them stores. */
export const isShared = async () => (await openStore()).shared;

/**
 * @param {FileRef} file
 * @param {Uint8Array<ArrayBuffer>} target
 * @param {(bytes: number) => void} onBytes
 * @returns {Promise<boolean>} whether `target` is filled; the caller verifies it
 */
export async function take({ sha256 }, target, onBytes) {
  try {
    return (await overflow?.read(sha256, target, onBytes)) || (await (await openStore()).read(sha256, target, onBytes));
  } catch {
    return false; // a store that fails is a store that has nothing
  }
}

/** @type {Promise<unknown>} */
let before = Promise.resolve();
/** Files are as good as copied at once; of a large model there is no room for copies. */
let small = true;

/** Nothing more is stored until `task` is done; what is fetched meanwhile waits in memory. @param {Promise<unknown>} task */
export const holdBack = (task) => void (before = Promise.all([before, task]));

/**
 * @param {FileRef} file
 * @param {Uint8Array<ArrayBuffer>} bytes verified
 * @param {boolean} hold in memory if there is no other place
 * @param {() => void} onCopied `bytes` are not needed any more
 */
export async function put({ sha256 }, bytes, hold, onCopied) {
  if (small) {
    bytes = bytes.slice();
    onCopied();
  }
  const [store] = await Promise.all([openStore(), before]);
  if (store.shared && !full) {
    const leave = await room(bytes.length);
    try {
      return await store.write(sha256, bytes, onCopied);
    } catch (error) {
      giveUp(error);
    } finally {
      leave();
    }
  }
  if (hold) await (overflow = (await import("./memory.js")).memory).write(sha256, bytes);
}

/** Bytes of copies that are being written; a network faster than the disk must not fill the memory with them. */
let writing = 0;
let most = 0;
/** @type {(() => void)[]} */
const queue = [];

/** Waits until another copy may be made. @param {number} bytes */
async function room(bytes) {
  while (writing > 0 && writing + bytes > most) await new Promise((resolve) => queue.push(() => resolve(undefined)));
  writing += bytes;
  return () => {
    writing -= bytes;
    for (const wake of queue.splice(0)) wake();
  };
}

/** @param {FileRef} file */
export async function drop({ sha256 }) {
  await (await openStore()).remove(sha256).catch(() => {});
}

/** See `Store.note`. @param {string} key @param {string} [text] */
export const note = async (key, text) => (await openStore()).note(key, text).catch(() => undefined);

/** @param {FileRef} file */
export async function holds({ sha256 }) {
  return (await overflow?.has(sha256)) || (await openStore()).has(sha256).catch(() => false);
}

/**
 * Asks the browser before anything is written; without room the models still load, from the network each time.
 * @param {readonly FileRef[]} files
 */
export async function reserve(files) {
  small = sizeOf(files) <= LARGE;
  if (!small) await forLarge();
  most = sizeOf(files) > BIG ? 16 << 20 : 96 << 20;
  if (!(await isShared())) return giveUp("only an https origin has a store");
  const { quota, usage } = await usageOf();
  if (quota === null || usage === null) return;
  let left = quota - usage;
  if (sizeOf(files) < left) return;
  for (const file of files) if (!(await holds(file))) left -= file.bytes;
  if (left <= 0) giveUp("the browser allows this origin no more storage");
}

/** For an app that has just made room. */
export const tryAgain = () => void (full = false);

/** @param {readonly {bytes: number}[]} files */
export const sizeOf = (files) => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** @param {unknown} why */
function giveUp(why) {
  if (!full) console.warn(`mbundle: models are not kept on this device: ${why}`);
  full = true;
}

/** @returns {Promise<{quota: number | null, usage: number | null}>} */
export async function usageOf() {
  const estimate = await globalThis.navigator?.storage?.estimate?.().catch(() => undefined);
  return { quota: estimate?.quota ?? null, usage: estimate?.usage ?? null };
}
