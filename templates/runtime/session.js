// Opens an onnxruntime session on verified bytes.

import { MbundleError, textOf } from "./errors.js";
import { alone } from "./ort.js";

/**
 * @param {import("./types.d.ts").Ort} ort
 * @param {import("./capability.js").Choice} choice
 * @param {Uint8Array} graph
 * @param {import("./assemble.js").Mounted[]} externalData
 * @param {Readonly<Record<string, unknown>>} options
 * @returns {Promise<import("./types.d.ts").OrtSession>}
 */
export async function openSession(ort, { variant, device }, graph, externalData, options) {
  const settings = { executionProviders: [device], ...options, ...(externalData.length > 0 ? { externalData } : {}) };
  try {
    return /** @type {import("./types.d.ts").OrtSession} */ (await alone(ort, () => ort.InferenceSession.create(graph, settings)));
  } catch (cause) {
    throw new MbundleError("session", `onnxruntime-web cannot open ${variant.name} on ${device} (${textOf(cause)}).`, { cause });
  }
}
