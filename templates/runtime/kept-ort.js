// onnxruntime-web's wasm from the store of the models. Imported by pages that ask for it.

import { acquire } from "./acquire.js";
import { LIVE } from "./announce.js";
import { note } from "./depot.js";
import { locate } from "./place.js";

/** @type {WeakSet<object>} */
const filled = new WeakSet();

/**
 * Before onnxruntime starts. Where this fails it fetches its wasm itself, and says what is wrong.
 * @param {import("./types.d.ts").Ort} ort
 * @param {import("./types.d.ts").FileRef} blob
 * @param {import("./types.d.ts").Spec} spec
 * @param {AbortSignal} signal
 */
export async function fill(ort, blob, spec, signal) {
  const { wasm } = /** @type {any} */ (ort.env);
  if (filled.has(wasm) || wasm.wasmBinary) return;
  filled.add(wasm);
  try {
    const target = new Uint8Array(blob.bytes);
    await note(`${LIVE}ort-${blob.sha256}`, JSON.stringify({ at: Date.now(), live: [blob.sha256] })); // no build's manifest names it
    await acquire({ blob, url: locate(spec, blob.file), target, hold: false, priority: 1, signal, onBytes() {} });
    wasm.wasmBinary = target;
  } catch {
    filled.delete(wasm);
  }
}
