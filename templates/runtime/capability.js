// What this browser can do, and so which variants to try, on which device, in which order.

import { MbundleError } from "./errors.js";

/** @typedef {import("./types.d.ts").Variant} Variant */
/** @typedef {{variant: Variant, device: "wasm" | "webgpu"}} Choice */
/** @typedef {{hardware: boolean, shaderF16: boolean, largest: number}} Gpu  largest: bytes of one buffer */

const GIB = 2 ** 30;
/** Kernels for these are for processors; on a GPU each one is a trip to the other device and back. */
const INTEGER_OPS = /QLinear|Integer|DynamicQuantize/;
/** A function with one SIMD instruction. */
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

/** @type {Promise<Gpu | undefined> | undefined} */
let known;

/** The GPU that a page gets, if any. */
const findGpu = () => (known ??= askGpu().catch(() => undefined));

/** @returns {Promise<Gpu | undefined>} */
async function askGpu() {
  const adapter = await /** @type {any} */ (globalThis.navigator)?.gpu?.requestAdapter();
  if (!adapter) return undefined;
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  return {
    hardware: !(adapter.isFallbackAdapter || adapter.info?.isFallbackAdapter),
    shaderF16: adapter.features.has("shader-f16"),
    largest: Math.min(maxBufferSize, maxStorageBufferBindingSize),
  };
}

/**
 * The manifest's order is the developer's; capability takes away or puts last. With Save-Data the smallest goes first.
 * @param {readonly Variant[]} variants
 * @param {{variant?: string, device?: string}} wish
 * @param {string} entry
 * @returns {Promise<{choices: Choice[], skipped: string[]}>}
 */
export async function choose(variants, { variant: wanted, device = "auto" }, entry) {
  const named = wanted === undefined ? inOrder(variants) : variants.filter(({ name }) => name === wanted);
  if (named.length === 0) throw unsupported(entry, `${entry} has no variant ${JSON.stringify(wanted)}; it has ${variants.map(({ name }) => name).join(", ")}.`);
  const gpu = device === "wasm" ? undefined : await findGpu();
  /** @type {string[]} */
  const skipped = [];
  /** @type {Choice[]} */
  const first = [];
  /** @type {Choice[]} */
  const last = [];
  if (device === "webgpu" && !gpu) skipped.push("webgpu: this browser has no GPU adapter");
  for (const variant of named) {
    /** What a golden check found, or what has no kernels there. @param {string} on */
    const wrong = (on) => variant.providers?.includes(on) === false && "not made for it";
    const fault = gpu && (wrong("webgpu") || gpuFault(variant, gpu, device === "webgpu"));
    if (fault) skipped.push(`${variant.name} on webgpu: ${fault}`);
    else if (gpu) first.push({ variant, device: "webgpu" });
    const lack = wrong("wasm") || wasmFault(variant.requires.memory);
    if (lack) skipped.push(`${variant.name} on wasm: ${lack}`);
    else (device === "webgpu" || variant.requires.shaderF16 || isTight(variant.requires.memory) ? last : first).push({ variant, device: "wasm" });
  }
  const choices = [...first, ...last];
  if (choices.length === 0) throw unsupported(entry, `No variant of ${entry} runs here: ${skipped.join("; ")}.`);
  return { choices, skipped };
}

/** @param {readonly Variant[]} variants */
function inOrder(variants) {
  const { saveData } = /** @type {any} */ (globalThis.navigator)?.connection ?? {};
  return saveData ? variants.toSorted((one, other) => one.requires.memory - other.requires.memory) : variants;
}

/** @param {Variant} variant @param {Gpu} gpu @param {boolean} asked  */
function gpuFault({ requires: { shaderF16, ops }, data }, gpu, asked) {
  if (shaderF16 && !gpu.shaderF16) return "needs a GPU with shader-f16";
  const longest = Math.max(0, ...data.map(({ tensors }) => tensors.reduce((most, each, index) => (index % 2 ? Math.max(most, each) : most), 0)));
  if (longest > gpu.largest) return `one tensor has ${longest} bytes, and the GPU takes ${gpu.largest}`;
  if (asked) return "";
  if (!gpu.hardware) return "the GPU is an emulated one";
  return ops.some((op) => INTEGER_OPS.test(op)) ? "its integer kernels are for processors" : "";
}

/** @param {number} memory */
function wasmFault(memory) {
  if (!globalThis.WebAssembly?.validate(SIMD)) return "the browser has no WebAssembly SIMD";
  return memory > 3.5 * GIB ? "needs more than the 4 GiB of wasm" : "";
}

/** Chromium tells the device's memory, rounded down and at most 8 (GiB). @param {number} memory */
const isTight = (memory) => memory > ((/** @type {any} */ (globalThis.navigator)?.deviceMemory ?? 8) * GIB) / 2;

/** @param {string} entry @param {string} what */
const unsupported = (entry, what) => new MbundleError("unsupported", what, { entry });
