// Weights that are large (above 64 MiB): how they get into onnxruntime's heap without waiting for the disk and, above 192
// MiB, with hardly a byte of them being there twice. Imported by the pages that load such a model.

import { allocate, readsOf } from "./assemble.js";
import { storeBehind } from "./behind.js";
import { BIG, sizeOf } from "./depot.js";
import { MbundleError } from "./errors.js";
import { fetchAhead, letRun } from "./load.js";
import { pause } from "./scope.js";
import { letGo } from "./scratch.js";
import { openStore } from "./store.js";
import { canHash } from "./verify.js";
import { lazyView, release } from "./view.js";

/** @param {import("./types.d.ts").Variant["data"]} data */
const isBig = (data) => sizeOf(data) > BIG;

/** Weights that onnxruntime packs anew are twice in its heap for a while, and that room is never given back (435 MB, second visit: peak 577 against 699 MB). */
const SETTINGS = { extra: { session: { disable_prepacking: "1" } } };

/**
 * A buffer for each chunk. An initializer of many chunks is copied by pieces, and each piece given back when it has been:
 * the largest one of a model would else be there twice (94 of 434 MB).
 * @param {import("./types.d.ts").Spec} spec
 * @param {import("./capability.js").Choice} choice
 * @param {import("./types.d.ts").OpenOptions} options
 * @returns {import("./assemble.js").Layout | undefined} undefined: other buffers do better
 */
export function layOut(spec, { variant: { graph, data }, device }, { kept, sessionOptions }) {
  if (device !== "wasm" || kept || data.some(({ tensors }) => tensors.length === 0)) return undefined;
  const graphBytes = allocate(graph.bytes, graph.file);
  const files = data.map((file) => ({ file, spans: spansOf(file), copies: /** @type {import("./behind.js").Copy[]} */ ([]) }));
  /** @type {(() => void)[]} */
  const checks = [];
  const { behind, flush, waits } = storeBehind(files);
  return {
    graph: graphBytes,
    places: [
      { blob: graph, target: graphBytes },
      ...files.flatMap(({ file, spans }) => file.chunks.map((blob, index) => ({ blob, target: /** @type {Uint8Array<ArrayBuffer>} */ (spans[index]?.bytes) }))),
    ],
    mount: () => files.map(({ file, spans, copies }) => {
      const [join, check] = joiner((copy) => copies.push(copy));
      checks.push(check);
      // Where memory is not short, what is to be stored stays here until then.
      if (!isBig(data)) spans.forEach(({ reads }, index) => waits(file.chunks[index]) && reads.set(-1, 1));
      return { path: file.path, data: lazyView(file.bytes, spans, join) };
    }),
    drop(opened) {
      const lost = opened ? letRun().then(flush) : flush();
      checks.forEach((check) => check());
      if (opened) lost.then((blobs) => fetchAhead(spec, blobs, false, -1, new AbortController().signal, () => {})).catch(() => {});
      return lost.then(() => files.forEach(({ spans }) => spans.forEach(release)));
    },
    // Settings of the app's own may have onnxruntime change the weights in its heap.
    ...(sessionOptions || !canHash() ? {} : { behind }),
  };
}

/** @param {import("./types.d.ts").DataFile} file */
const spansOf = ({ path, chunks, tensors }) =>
  chunks.map(({ offset, bytes }) => ({ offset, bytes: allocate(bytes, path), reads: readsOf(tensors, offset, offset + bytes, true) }));

/**
 * onnxruntime-web hands what it was given to `set` of the heap and to nothing else, at once. For that one call `set` knows
 * a token that stands for all pieces; whatever else is done to the token throws, so that no weight is ever left out.
 * @param {(copy: import("./behind.js").Copy) => void} onCopied
 * @returns {[(pieces: import("./view.js").Piece[], from: number) => Uint8Array<ArrayBuffer>, () => void]} the second throws if a token was never used
 */
export function joiner(onCopied) {
  const heap = Uint8Array.prototype;
  /** Gives the heap its own `set` back, while a token waits for it. @type {(() => void) | undefined} */
  let restore;
  const check = () => {
    if (!restore) return;
    restore();
    throw new MbundleError("session", "onnxruntime-web reads its external data otherwise than expected.");
  };
  /** @type {() => never} */
  const refuse = () => {
    check();
    throw new TypeError("this has been read");
  };
  /** @param {import("./view.js").Piece[]} pieces @param {number} from */
  const join = (pieces, from) => {
    check();
    const own = Object.getOwnPropertyDescriptor(heap, "set");
    const { set } = heap;
    const token = new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getOwnPropertyDescriptor: refuse, getPrototypeOf: refuse });
    restore = () => {
      restore = undefined;
      if (own) Object.defineProperty(heap, "set", own);
      else Reflect.deleteProperty(heap, "set");
    };
    /** @this {Uint8Array} @param {any} source @param {number} [at] */
    const value = function (source, at = 0) {
      if (source !== token) return set.call(this, source, at);
      restore?.();
      const first = at;
      for (const { bytes, free } of pieces) {
        set.call(this, bytes, at);
        at += bytes.length;
        free();
      }
      onCopied({ from, heap: this, at: first, bytes: at - first });
    };
    Object.defineProperty(heap, "set", { value, configurable: true, writable: true });
    return /** @type {any} */ (token);
  };
  return [join, check];
}

/**
 * Before a session is opened.
 * @param {import("./types.d.ts").Variant} variant
 * @returns {Promise<object>} what its options are made of
 */
export async function settle({ data }) {
  if (!isBig(data)) return {};
  await collectGarbage();
  return SETTINGS;
}

/**
 * Before weights are copied: what the fetches have left lies with a collector that sees no hurry (60 of 434 MB). It does
 * its best before it refuses a buffer that cannot be, and frees what it found a moment later, on another thread; twice,
 * since bodies that are still being stored let go in between.
 * @returns {Promise<void>}
 */
async function collectGarbage() {
  if ((await openStore()).files) await import("./keeper.js").then(({ rest }) => rest());
  letGo();
  for (let times = 0; times < 2; times++) {
    try {
      new ArrayBuffer(2 ** 33 - 1);
    } catch {}
    await pause(50);
  }
}
