// One verified file: from the store, or from the network and then into the store. Loads that want the same file at the
// same time share one flight; tabs that want it at the same time wait for the first, by a lock.

import { drop, isShared, keeps, put, take } from "./depot.js";
import { MbundleError } from "./errors.js";
import { download } from "./fetch.js";
import { inLane } from "./lanes.js";
import { orAbort } from "./scope.js";
import { canHash, sha256 } from "./verify.js";

const LOCK_WAIT_MS = 30_000; // a frozen tab keeps its locks; better to download twice than to wait for ever

/**
 * @typedef {object} Want
 * @property {import("./types.d.ts").FileRef} blob
 * @property {string} url
 * @property {Uint8Array<ArrayBuffer>} target
 * @property {boolean} hold in memory, where the device's store does not take it
 * @property {import("./types.d.ts").Kept} [kept]
 * @property {Behind} [behind]
 * @property {number} priority
 * @property {AbortSignal} signal
 * @property {(have: number, fromCache: boolean) => void} onBytes
 *
 * @typedef {(bytes: Uint8Array<ArrayBuffer>, onCopied: (value?: unknown) => void) => Promise<void>} Write
 *
 * @typedef {object} Behind files that are stored when there is time; see behind.js
 * @property {(blob: import("./types.d.ts").FileRef, write: Write, go: (value?: unknown) => void) => Promise<void> | undefined} add
 *   calls `go` at once, and settles when the file has been written or given up; undefined: it is to be stored now
 * @property {() => unknown} flush the time has come
 *
 * @typedef {object} Flight
 * @property {Promise<Uint8Array<ArrayBuffer>>} bytes
 * @property {Set<Want>} wants
 * @property {AbortController} controller aborted when nobody wants the file any more
 */

/** What is being stored behind the loads. @type {Set<Promise<unknown>>} */
const storing = new Set();

/** @template T @param {Promise<T>} task */
export function track(task) {
  const kept = task.finally(() => storing.delete(kept));
  storing.add(kept);
  return kept;
}

export const stored = async () => void (await Promise.allSettled(storing));

/** @type {Map<string, Flight>} */
const flights = new Map();

/**
 * Fills `want.target` with the verified file.
 * @param {Want} want
 */
export async function acquire(want) {
  const flight = flights.get(want.blob.sha256) ?? start(want);
  flight.wants.add(want);
  try {
    const bytes = await orAbort(flight.bytes, want.signal);
    if (bytes !== want.target) want.target.set(bytes);
    want.onBytes(bytes.length, fromCache.has(flight));
  } finally {
    flight.wants.delete(want);
    if (flight.wants.size === 0) flight.controller.abort(want.signal.reason);
  }
}

/** @type {WeakSet<Flight>} */
const fromCache = new WeakSet();

/** @param {Want} want @returns {Flight} */
function start(want) {
  const wants = new Set([want]);
  const controller = new AbortController();
  /** @type {Flight} */
  const flight = { wants, controller, bytes: Promise.resolve(want.target) };
  const key = want.blob.sha256;
  flights.set(key, flight);
  flight.bytes = fly({ ...want, signal: controller.signal }, flight).finally(() => {
    if (flights.get(key) === flight) flights.delete(key);
  });
  flight.bytes.catch(() => {}); // every want hears of it; none may be left when all have gone
  controller.signal.addEventListener("abort", () => flights.get(key) === flight && flights.delete(key));
  return flight;
}

/** @param {Want} want @param {Flight} flight */
async function fly(want, flight) {
  /** @param {boolean} cached @returns {(have: number) => void} */
  const tell = (cached) => (have) => flight.wants.forEach((each) => each.onBytes(have, cached));
  const stored = async () => {
    const found = await inLane(want.priority, want.signal, () => readStored(want, tell(true)));
    if (found) fromCache.add(flight);
    return found;
  };
  if (!(await stored())) await new Promise((resolve, reject) => {
    withLock(want, async (waited) => {
      if (!(waited && (await stored()))) {
        await fetchVerified(want, tell(false));
        /** @type {Write} */
        const write = (bytes, onCopied) => track(put(want.blob, bytes, want.hold, onCopied));
        await (want.behind?.add(want.blob, write, resolve) ?? write(want.target, resolve));
      }
      resolve(undefined);
    }).catch(reject);
  });
  want.kept?.set(want.blob.sha256, want.target);
  return want.target;
}

/** @param {Want} want @param {(have: number) => void} onBytes */
async function readStored({ blob, target, kept }, onBytes) {
  if (kept?.fill(blob.sha256, target)) return true;
  if (!(await take(blob, target, onBytes))) return false;
  if (!canHash() || (await sha256(target)) === blob.sha256) return true;
  await drop(blob);
  onBytes(0);
  return false;
}

/** @param {Want} want @param {(have: number) => void} onBytes */
async function fetchVerified({ blob, url, target, priority, signal }, onBytes) {
  const checked = canHash() ? undefined : (await import("./insecure.js")).downloadChecked;
  const job = { url, file: blob.file, target, signal, onBytes, stored: await keeps() };
  // A second time past the HTTP cache, in case that is where the wrong bytes are.
  for (const reload of [false, true]) {
    const good = await inLane(priority + 0.5, signal, async () => (checked ? checked({ ...job, reload }, blob.sha256) : void (await download({ ...job, reload }))));
    if (good ?? (await sha256(target)) === blob.sha256) return;
    onBytes(0);
  }
  throw new MbundleError("integrity", `${blob.file} is not what was built.`, { file: blob.file });
}

/**
 * Runs `task` alone among the tabs of this origin, where they share a store and the browser has locks.
 * @param {Want} want
 * @param {(waited: boolean) => Promise<void>} task told whether another tab held the lock before
 */
async function withLock({ blob, signal, behind }, task) {
  const locks = (await isShared()) ? globalThis.navigator?.locks : undefined;
  let started = false;
  /** @param {boolean} waited */
  const once = async (waited) => {
    started = true;
    await task(waited);
  };
  try {
    const name = `mbundle:${blob.sha256}`;
    await locks?.request(name, { ifAvailable: true }, (lock) => lock && once(false));
    if (locks && !started) {
      behind?.flush(); // the other tab may be waiting for this one
      await locks.request(name, { signal: AbortSignal.any([signal, AbortSignal.timeout(LOCK_WAIT_MS)]) }, () => once(true));
    }
  } catch (error) {
    if (started) throw error;
    signal.throwIfAborted();
  }
  if (!started) await once(locks !== undefined);
}
