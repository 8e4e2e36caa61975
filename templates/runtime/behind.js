// Storing that waits for the session. On a fast network it is the disk that a first visit would wait for, and meanwhile
// the memory fills with weights that are not written yet. Once the session is open they lie in onnxruntime's heap, and
// from there they are written with nothing of them being twice in memory: 434 MB from loopback took 1.3 times what a page
// takes that stores nothing, and so 1.0 to 1.1 times. What is read back is verified as everything is that is stored. Where
// memory is not that short (frugal.js), the chunks themselves stay until then.

import { track } from "./acquire.js";
import { sha256 } from "./verify.js";

/** Bytes per ms. What a slower network brings is stored as it comes: there a visit that ends early has cost more. */
const FAST = 24_000;

/**
 * @typedef {import("./types.d.ts").FileRef} FileRef
 * @typedef {{from: number, heap: Uint8Array, at: number, bytes: number}} Copy of an initializer: from there in its file to `at` in the heap
 * @typedef {{file: import("./types.d.ts").DataFile, spans: import("./assemble.js").Span[], copies: Copy[]}} Source `spans`: one for each chunk
 * @typedef {{blob: FileRef, write: import("./acquire.js").Write, end: (stored: Promise<void> | undefined) => void}} Waiting
 */

/**
 * @param {readonly Source[]} sources
 * @returns {{behind: (signal: AbortSignal) => import("./acquire.js").Behind, flush: () => Promise<FileRef[]>, waits: (blob: FileRef | undefined) => boolean}}
 *   `flush` gives the files whose bytes are not here any more
 */
export function storeBehind(sources) {
  const began = performance.now();
  let have = 0;
  /** @type {Waiting[]} */
  const waiting = [];
  /** @type {Promise<FileRef[]> | undefined} */
  let flushing;
  const flush = () => (flushing ??= track(drain(sources, waiting)));
  const behind = {
    flush,
    /** @type {import("./acquire.js").Behind["add"]} */
    add(blob, write, go) {
      have += blob.bytes;
      if (flushing || have / (performance.now() - began) < FAST || !find(sources, blob)) return undefined;
      go();
      return new Promise((end) => waiting.push({ blob, write, end }));
    },
  };
  return {
    flush,
    waits: (blob) => waiting.some(({ blob: { sha256 } }) => sha256 === blob?.sha256),
    behind(signal) {
      signal.addEventListener("abort", flush, { once: true });
      return behind;
    },
  };
}

/** One after the other, since the page has better things to do. @param {readonly Source[]} sources @param {readonly Waiting[]} waiting */
async function drain(sources, waiting) {
  const lost = [];
  /** @type {Promise<void>[]} */
  const writes = [];
  const buffer = new ArrayBuffer(Math.max(0, ...waiting.map(({ blob }) => blob.bytes)));
  for (const { blob, write, end } of waiting) {
    const bytes = new Uint8Array(buffer, 0, blob.bytes);
    gather(sources, blob, bytes);
    if ((await sha256(bytes)) === blob.sha256) await new Promise((next) => {
      const stored = write(bytes, () => next(undefined));
      writes.push(stored);
      stored.catch(() => {}).then(next);
      end(stored);
    });
    else {
      lost.push(blob);
      end(undefined);
    }
  }
  await Promise.allSettled(writes);
  return lost;
}

/** Where a chunk is; a graph is in no source. @param {readonly Source[]} sources @param {FileRef} blob */
function find(sources, blob) {
  for (const { file, spans, copies } of sources) {
    const index = file.chunks.findIndex(({ sha256 }) => sha256 === blob.sha256);
    const chunk = file.chunks[index];
    if (chunk) return { offset: chunk.offset, span: spans[index], copies };
  }
  return undefined;
}

/** @param {readonly Source[]} sources @param {FileRef} blob @param {Uint8Array<ArrayBuffer>} into */
function gather(sources, blob, into) {
  const found = find(sources, blob);
  if (found?.span?.bytes) into.set(found.span.bytes);
  else if (found) restore(found.copies, found.offset, into.fill(0));
}

/** @param {readonly Copy[]} copies @param {number} offset of `into` in the file @param {Uint8Array} into */
function restore(copies, offset, into) {
  for (const { from, heap, at, bytes } of copies) {
    const start = Math.max(from, offset);
    const end = Math.min(from + bytes, offset + into.length);
    // An ArrayBuffer that has grown is another one, and this one empty.
    if (start < end && heap.length > 0) into.set(heap.subarray(at + start - from, at + end - from), start - offset);
  }
}
