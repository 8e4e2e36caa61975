// The stores of this page as one: the device's, as long as it has room, and memory for what `preload` brought in vain.

import { memoryStore, openStore } from "./store.js";

/** @typedef {import("./types.d.ts").FileRef} FileRef */

export const overflow = memoryStore();
let full = false;

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
    return (await overflow.read(sha256, target, onBytes)) || (await (await openStore()).read(sha256, target, onBytes));
  } catch {
    return false; // a store that fails is a store that has nothing
  }
}

/**
 * @param {FileRef} file
 * @param {Uint8Array<ArrayBuffer>} bytes verified
 * @param {boolean} hold in memory if there is no other place
 */
export async function put({ sha256 }, bytes, hold) {
  const store = await openStore();
  if (store.shared && !full) {
    try {
      return await store.write(sha256, bytes);
    } catch (error) {
      giveUp(error);
    }
  }
  if (hold) await overflow.write(sha256, bytes);
}

/** @param {FileRef} file */
export async function drop({ sha256 }) {
  await (await openStore()).remove(sha256).catch(() => {});
}

/** See `Store.note`. @param {string} key @param {string} [text] */
export const note = async (key, text) => (await openStore()).note(key, text).catch(() => undefined);

/** @param {FileRef} file */
export async function holds({ sha256 }) {
  return (await overflow.has(sha256)) || (await openStore()).has(sha256).catch(() => false);
}

/**
 * Asks the browser before anything is written; without room the models still load, from the network each time.
 * @param {readonly FileRef[]} files
 */
export async function reserve(files) {
  const { quota, usage } = await usageOf();
  if (quota === null || usage === null || sizeOf(files) < quota - usage) return;
  const missing = await Promise.all(files.map(async (file) => !(await holds(file))));
  if (sizeOf(files.filter((_, index) => missing[index])) >= quota - usage) giveUp("the browser allows this origin no more storage");
}

/** For an app that has just made room. */
export const tryAgain = () => void (full = false);

/** @param {readonly FileRef[]} files */
const sizeOf = (files) => files.reduce((sum, { bytes }) => sum + bytes, 0);

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
