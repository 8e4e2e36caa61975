// A KV cache that a session on a GPU may keep in few bits: how wide a token's keys and values are in it. Imported only where a
// variant asks for that.

/** @typedef {import("./types.d.ts").Variant & {generation: import("./types.d.ts").Generation}} Variant */

/** Bits of an element. @type {Record<string, number>} */
const BITS = { float32: 32, float16: 16 };
/** Of the scale before the values. */
const SCALE = 32;

/**
 * `variant` with the width that its cache has in this session. An onnxruntime-web that does not hand the wish on keeps the
 * plain one, and nothing says so but a first step that runs.
 * @param {Variant} variant @param {string} device @param {(variant: Variant) => Promise<unknown>} step
 * @returns {Promise<Variant>}
 */
export async function settle(variant, device, step) {
  const { headDim, webgpuBits = 0, dtype } = variant.generation;
  const plain = widened(variant, headDim);
  if (device !== "webgpu") return plain;
  return step(plain).then(() => plain, () => widened(variant, (headDim * webgpuBits + SCALE) / (BITS[dtype] ?? SCALE)));
}

/** @param {Variant} variant @param {number} width @returns {Variant} */
function widened(variant, width) {
  const pasts = new Set(variant.generation.cache.map(([past]) => past));
  const inputs = variant.inputs.map((port) => (pasts.has(port.name) ? { ...port, shape: [...(port.shape ?? []).slice(0, 3), width] } : port));
  return { ...variant, inputs };
}
