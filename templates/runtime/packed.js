// A KV cache that a session on a GPU may keep in few bits: how wide a token's keys and values are in it. Imported only where a
// variant asks for that.

import { alone } from "./ort.js";

/** @typedef {import("./types.d.ts").Variant & {generation: import("./types.d.ts").Generation}} Variant */

/** Bits of an element. @type {Record<string, number>} */
const BITS = { float32: 32, float16: 16 };
const FLOAT32 = 32;
/** Of the scale before the values. */
const SCALE = 32;
/** GroupQueryAttention of one head of 8 values: `x` is query, key and value, `p` the past of both. */
const SMALLEST = "CAg6mQIKaQoBeAoBeAoBeAoBcAoBcAoBcwoBdBIBeRIBaxIBdiITR3JvdXBRdWVyeUF0dGVudGlvbioTCgxrdl9udW1faGVhZHMYAaABAioQCgludW1faGVhZHMYAaABAjoNY29tLm1pY3Jvc29mdBIBZyoNCAEQBkIBc0oEAAAAACoLEAZCAXRKBAEAAABaFwoBeBISChAIARIMCgIIAQoCCAEKAggIWh0KAXASGAoWCAESEgoCCAEKAggBCgMSAW4KAxIBd2IXCgF5EhIKEAgBEgwKAggBCgIIAQoCCAhiHQoBaxIYChYIARISCgIIAQoCCAEKAxIBbQoDEgF3Yh0KAXYSGAoWCAESEgoCCAEKAggBCgMSAW0KAxIBd0IECgAQEUIRCg1jb20ubWljcm9zb2Z0EAE=";
const HEAD = 8;

/** `variant` with the width that its cache has in a session on `device`. @param {Variant} variant @param {string} device @param {import("./types.d.ts").Ort} ort @returns {Promise<Variant>} */
export async function settle(variant, device, ort) {
  const { headDim, webgpuBits: bits = 0, dtype } = variant.generation;
  const packed = device === "webgpu" && (await packs(ort, bits));
  const width = packed ? (headDim * bits + SCALE) / (BITS[dtype] ?? SCALE) : headDim;
  const pasts = new Set(variant.generation.cache.map(([past]) => past));
  const inputs = variant.inputs.map((port) => (pasts.has(port.name) ? { ...port, shape: [...(port.shape ?? []).slice(0, 3), width] } : port));
  return { ...variant, inputs };
}

/**
 * An onnxruntime-web that does not hand the wish on keeps the plain width, and nothing says so but a run that fails; after
 * one a session is of no more use, so that a small one is asked.
 * @param {import("./types.d.ts").Ort} ort @param {number} bits
 */
async function packs(ort, bits) {
  const Tensor = /** @type {any} */ (ort.Tensor);
  const graph = Uint8Array.from(atob(SMALLEST), (char) => char.charCodeAt(0));
  const settings = { executionProviders: [{ name: "webgpu", kvCacheQuantizationBits: String(bits) }], logSeverityLevel: 4 };
  const feeds = { x: new Tensor("float32", new Float32Array(HEAD), [1, 1, HEAD]), p: new Tensor("float32", new Float32Array(0), [1, 1, 0, (HEAD * bits + SCALE) / FLOAT32]) };
  /** @type {import("./types.d.ts").OrtSession} */
  const session = await alone(ort, () => /** @type {any} */ (ort.InferenceSession).create(graph, settings));
  const found = await alone(ort, () => session.run(feeds)).then(() => true, () => false);
  await session.release();
  return found;
}
