// Brings one file of known size into a buffer that is already its final place. Survives what a retry can mend
// (a reset, a stall, a 503, a body cut short) and resumes where it stopped; names what it cannot.

import { MbundleError, textOf } from "./errors.js";
import { orAbort, pause } from "./scope.js";

const ATTEMPTS = 5;
const IDLE_MS = 10_000; // without a byte, and once more: a slow network is not an error, one silent for 20 s is
/** When the last byte of any file came, on performance.now()'s clock: a slow network may bring one file after the other. */
let heard = 0;

const beat = () => void (heard = performance.now());

/** How long no download has brought anything, in ms. */
export const silence = () => performance.now() - heard;
const BASE_DELAY_MS = 300;
const MOST_DELAY_MS = 8_000;
const SCRATCH = 256 << 10;

/**
 * @typedef {object} Job
 * @property {string} url
 * @property {string} file for messages
 * @property {Uint8Array<ArrayBuffer>} target its length is the size that the file must have
 * @property {AbortSignal} signal
 * @property {(bytes: number) => void} onBytes how many bytes of `target` are filled; falls back when a body starts anew
 * @property {string} [integrity]
 * @property {boolean} [reload] past the HTTP cache
 * @property {boolean} [stored] afterwards, in a store of ours, so that the HTTP cache need not write it too
 */

/** @typedef {{have: number, whole: boolean, reload: boolean}} State  bytes that are here; must start anew; past the HTTP cache */

/** @param {Job} job */
export async function download(job) {
  /** @type {State} */
  const state = { have: 0, whole: false, reload: job.reload ?? false };
  let most = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptOnce(job, state);
    } catch (error) {
      job.signal.throwIfAborted();
      if (!(error instanceof MbundleError)) throw error;
      // A connection that breaks now and then is never given up, as long as it gets further than ever before: one that
      // starts anew each time and is cut somewhere would bring more than the try before for ever.
      if (state.have > most) [most, attempt] = [state.have, 1];
      if (!mayRetry(error, attempt)) throw error;
      state.reload ||= ["http", "html", "size"].includes(error.code);
      await orAbort(pause(delayOf(attempt, error.retryAfter)), job.signal);
    }
  }
}

/** @param {MbundleError} error @param {number} attempt */
function mayRetry({ code, status = 0 }, attempt) {
  if (attempt >= (code === "timeout" ? 2 : ATTEMPTS)) return false;
  if (["network", "offline", "timeout"].includes(code) || [408, 429].includes(status) || status >= 500) return true;
  // One more try past the HTTP cache: an error, a page or a short body may have been cached by mistake.
  return attempt === 1 && ["http", "html", "size"].includes(code);
}

/** Doubles, with jitter, so that the tabs of many users do not come back in step. @param {number} attempt @param {number} [asked] s */
const delayOf = (attempt, asked) =>
  asked !== undefined ? Math.min(asked, 30) * 1000 : Math.min(BASE_DELAY_MS * 2 ** (attempt - 1), MOST_DELAY_MS) * (0.5 + Math.random());

/** @param {Job} job @param {State} state */
async function attemptOnce(job, state) {
  const idle = watchIdle(job.signal);
  try {
    const response = await fetch(job.url, requestOf(job, state, idle.signal));
    beat();
    await accept(response, job, state);
    await drain(response, job, state);
  } catch (error) {
    throw idle.expired ? new MbundleError("timeout", `No byte of ${job.file} came for ${IDLE_MS / 1000} s.`, { file: job.file }) : named(error, job.file);
  } finally {
    idle.stop();
  }
}

/** @param {Job} job @param {State} state @param {AbortSignal} signal @returns {RequestInit} */
const requestOf = ({ integrity, stored }, { have, whole, reload }, signal) => ({
  signal,
  ...(have > 0 && !whole && !integrity ? { headers: { Range: `bytes=${have}-` } } : {}),
  ...(integrity ? { integrity } : {}),
  cache: reload ? "reload" : stored ? "no-store" : "default",
});

/**
 * Sets `state.have` to where the body continues, or throws.
 * @param {Response} response @param {Job} job @param {State} state
 */
async function accept(response, { file, target, onBytes }, state) {
  const { status, headers } = response;
  const resumed = status === 206 && headers.get("content-range")?.startsWith(`bytes ${state.have}-`) === true && state.have > 0;
  const refused = state.have > 0 && !resumed && (status === 206 || status === 416);
  if (!resumed) onBytes((state.have = 0));
  // Ranges of a compressed body are ranges of compressed bytes.
  state.whole = headers.has("content-encoding");
  const fault = resumed ? undefined : refused ? new MbundleError("network", `The server cannot resume ${file}.`, { file }) : faultOf(response, file, target.length);
  if (!fault) return;
  await response.body?.cancel().catch(() => {});
  throw fault;
}

/** @param {Response} response @param {string} file @param {number} want @returns {MbundleError | undefined} */
function faultOf({ status, headers, type }, file, want) {
  if (status !== 200) return new MbundleError("http", `The server answers ${status} for ${file}.`, { file, status, retryAfter: secondsOf(headers) });
  if (/^text\/html/i.test(headers.get("content-type") ?? "")) return page(file);
  const length = headers.get("content-length");
  // Across origins Content-Encoding cannot be read, so that the length may be that of compressed bytes.
  if (type === "basic" && length !== null && !headers.get("content-encoding") && Number(length) > want) return wrongSize(file, Number(length), want);
  return undefined;
}

/** @param {string} file */
const page = (file) => new MbundleError("html", `Instead of ${file} the server sends an HTML page.`, { file });

/** @param {Headers} headers */
const secondsOf = (headers) => {
  const seconds = Number.parseInt(headers.get("retry-after") ?? "", 10);
  return seconds >= 0 ? seconds : undefined;
};

/** @param {string} file @param {number} got @param {number} want @param {Uint8Array} [head] */
function wrongSize(file, got, want, head) {
  if (head?.[0] === 0x3c) return page(file);
  const zipped = head?.[0] === 0x1f && head[1] === 0x8b ? ", still compressed" : "";
  return new MbundleError("size", `${file} has ${got} bytes${zipped}, not ${want}.`, { file });
}

/** @param {Response} response @param {Job} job @param {State} state */
async function drain(response, { file, target, onBytes }, state) {
  if (!response.body) throw new MbundleError("network", `The answer for ${file} has no body.`, { file });
  for await (const part of parts(response.body)) {
    beat();
    const end = state.have + part.length;
    if (end > target.length) {
      const head = state.have === 0 ? part : target;
      state.have = 0;
      throw wrongSize(file, end, target.length, head);
    }
    target.set(part, state.have);
    onBytes((state.have = end));
  }
  if (state.have < target.length) throw short(file, state, target);
}

/** A body that ends early but cleanly: resumed like one that broke off, unless it was never this file. @param {string} file @param {State} state @param {Uint8Array} target */
function short(file, state, target) {
  const fault = wrongSize(file, state.have, target.length, target);
  if (fault.code === "html" || target[0] === 0x1f) state.have = 0;
  return fault;
}

/**
 * The body piece by piece; a piece is valid until the next one is asked for. One scratch buffer serves the whole body
 * where the browser reads into a given one (217 against 351 ms for 100 MB).
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {AsyncGenerator<Uint8Array>}
 */
export async function* parts(body) {
  const byob = byobReader(body);
  const reader = byob ?? body.getReader();
  let scratch = new ArrayBuffer(SCRATCH);
  try {
    for (;;) {
      const { done, value } = byob ? await byob.read(new Uint8Array(scratch)) : await /** @type {ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>} */ (reader).read();
      if (done) return;
      if (byob) scratch = value.buffer;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
function byobReader(body) {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}

/** @param {AbortSignal} outer */
function watchIdle(outer) {
  const controller = new AbortController();
  const stop = () => controller.abort(outer.reason);
  const watch = {
    signal: controller.signal,
    expired: false,
    stop() {
      clearTimeout(timer);
      outer.removeEventListener("abort", stop);
    },
  };
  const expire = () => {
    const left = IDLE_MS - silence();
    if (left > 0) return void (timer = setTimeout(expire, left));
    watch.expired = true;
    controller.abort();
  };
  let timer = setTimeout(expire, IDLE_MS);
  outer.addEventListener("abort", stop, { once: true });
  if (outer.aborted) stop();
  return watch;
}

/** @param {unknown} cause @param {string} file */
function named(cause, file) {
  if (cause instanceof MbundleError) return cause;
  if (globalThis.navigator?.onLine === false) return new MbundleError("offline", `This device is offline and ${file} is not stored on it.`, { file, cause });
  return new MbundleError("network", `${file} could not be fetched (${textOf(cause)}).`, { file, cause });
}
