// Files are written by a worker of their own, beside the fetches; it ends when there is nothing more to write. See opfs.js.

import { stored } from "./acquire.js";
import { within } from "./scope.js";
import { hooks } from "./store.js";

const IDLE_MS = 500;
const REST_MS = 2_000;
const LONGEST_MS = 60_000; // a worker that does not answer must not keep loads waiting for room

/** @typedef {{resolve: (value: boolean) => void, reject: (error: unknown) => void}} Call */

/** @type {Map<number, Call>} */
const calls = new Map();
/** Given back by the worker: buffers that were written are used again, since a worker's garbage lies long. @type {ArrayBuffer[]} */
let spare = [];
/** @type {Promise<Worker | undefined> | undefined} */
let office;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let idle;
let last = 0;

/**
 * @param {string} sha256 @param {Uint8Array<ArrayBuffer>} bytes @param {() => void} [onCopied] `bytes` are not needed any more
 * @returns {Promise<boolean>} false: no worker can be started
 */
export async function keep(sha256, bytes, onCopied) {
  clearTimeout(idle);
  const id = ++last;
  /** @type {Promise<boolean>} */
  const written = new Promise((resolve, reject) => calls.set(id, { resolve, reject })); // from here on nobody ends the worker
  written.catch(() => {}); // whoever asked hears of it below
  const worker = await (office ??= open());
  if (!worker) return !calls.delete(id);
  if (!calls.has(id)) return written; // it has just ended
  const at = spare.findIndex(({ byteLength }) => byteLength >= bytes.length);
  const buffer = at < 0 ? new ArrayBuffer(bytes.length) : /** @type {ArrayBuffer} */ (spare.splice(at, 1)[0]);
  const copy = new Uint8Array(buffer, 0, bytes.length);
  copy.set(bytes);
  onCopied?.();
  worker.postMessage({ call: "keep", id, sha256, bytes: copy }, [buffer]);
  const timer = setTimeout(close, LONGEST_MS, worker);
  return written.finally(() => clearTimeout(timer));
}

/** @returns {Promise<Worker | undefined>} */
async function open() {
  const worker = await hooks.openWorker?.();
  if (!worker) return undefined;
  worker.onmessage = ({ data: { id, value, error } }) => {
    const call = calls.get(id);
    calls.delete(id);
    if (value) spare.push(value.bytes.data.buffer);
    if (error) call?.reject(Object.assign(new Error(error.message), { name: error.name }));
    else call?.resolve(true);
    clearTimeout(idle);
    if (calls.size === 0) idle = setTimeout(close, IDLE_MS, worker);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    close(worker);
  };
  return worker;
}

/** @param {Worker} worker */
function close(worker) {
  worker.terminate();
  office = undefined;
  spare = [];
  for (const { reject } of calls.values()) reject(new Error("the worker ended"));
  calls.clear();
}

/** Before memory is short: all is written, and nothing is left of the worker. */
export async function rest() {
  await within(REST_MS, stored());
  const worker = await office;
  if (worker && calls.size === 0) close(worker);
}
