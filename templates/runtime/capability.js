// What this browser can do, and so which variants to try, in which order.

import { MbundleError } from "./errors.js";

/** @typedef {import("./types.d.ts").Variant} Variant */
/** @typedef {{variant: Variant, device: "wasm" | "webgpu"}} Choice */
/** @typedef {{webgpu: boolean, shaderF16: boolean}} Capability */

/** @type {Promise<Capability> | undefined} */
let known;

/** @returns {Promise<Capability>} */
export const capability = () => (known ??= ask());

/** @returns {Promise<Capability>} */
async function ask() {
  const gpu = /** @type {any} */ (globalThis.navigator)?.gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return { webgpu: Boolean(adapter), shaderF16: Boolean(adapter?.features.has("shader-f16")) };
}

/**
 * The manifest's order is the developer's; capability only takes away.
 * @param {readonly Variant[]} variants
 * @param {{variant?: string, device?: string}} wish
 * @param {string} entry
 * @returns {Promise<{choices: Choice[], skipped: string[]}>}
 */
export async function choose(variants, { variant: wanted, device = "auto" }, entry) {
  const named = wanted === undefined ? variants : variants.filter(({ name }) => name === wanted);
  if (named.length === 0) throw unsupported(entry, `${entry} has no variant ${JSON.stringify(wanted)}; it has ${variants.map(({ name }) => name).join(", ")}.`);
  const able = device === "webgpu" ? await capability() : { webgpu: false, shaderF16: false };
  const skipped = device === "webgpu" && !able.webgpu ? ["webgpu: this browser has no GPU adapter"] : [];
  const fitting = named.filter(({ name, requires }) => {
    const fits = !requires.shaderF16 || able.shaderF16;
    if (!fits) skipped.push(`${name}: needs a GPU with shader-f16`);
    return fits;
  });
  const choices = fitting.map((variant) => ({ variant, device: /** @type {"wasm" | "webgpu"} */ (able.webgpu ? "webgpu" : "wasm") }));
  if (choices.length === 0) throw unsupported(entry, `No variant of ${entry} runs here: ${skipped.join("; ")}.`);
  return { choices, skipped };
}

/** @param {string} entry @param {string} what */
const unsupported = (entry, what) => new MbundleError("unsupported", what, { entry });
