// Everything that a store of the device holds: for tidying, and for apps that ask.

import { NOTE } from "./store.js";

/** @typedef {import("./store.js").Store} Store */

/** @param {Store} store @returns {Promise<string[]>} the sha256 of all files; also the names of what closed tabs have left */
export const list = async (store) => [...(await names(store)).filter((name) => !name.startsWith(NOTE)), ...((await store.files?.list()) ?? [])];

/** @param {Store} store @returns {Promise<number[]>} of all files, in bytes */
export async function sizes({ cache, files }) {
  const kept = ((await cache?.matchAll()) ?? []).filter(({ headers }) => headers.has("content-length"));
  return [...kept.map(({ headers }) => Number(headers.get("content-length"))), ...((await files?.sizes()) ?? [])];
}

/** @param {Store} store @returns {Promise<string[]>} the keys of `Store.note` */
export const notes = async (store) => (await names(store)).filter((name) => name.startsWith(NOTE)).map((name) => name.slice(NOTE.length));

/** @param {Store} store */
const names = async ({ cache }) => ((await cache?.keys()) ?? []).map(({ url }) => url.slice(url.lastIndexOf("/") + 1));
