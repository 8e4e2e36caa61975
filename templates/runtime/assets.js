// Files that belong to an entry beside its model, such as a tokenizer: fetched when they are read, verified and kept on the
// device as weights are.

import { acquire } from "./acquire.js";
import { MbundleError } from "./errors.js";
import { fetchManifest } from "./pinned.js";
import { locate } from "./place.js";

const NEVER = new AbortController().signal;

/**
 * @param {import("./types.d.ts").Spec} spec
 * @param {{signal?: AbortSignal}} options
 * @returns {Promise<any>} by name
 */
export async function assetsOf(spec, { signal = NEVER }) {
  const entry = (await fetchManifest(spec, signal)).entries.get(spec.name);
  if (!entry) throw new MbundleError("manifest", `The manifest has no entry ${spec.name}.`);
  return Object.freeze(Object.fromEntries(entry.assets.map((asset) => [asset.name, open(spec, asset, signal)])));
}

/**
 * @param {import("./types.d.ts").Spec} spec @param {import("./types.d.ts").AssetRef} asset @param {AbortSignal} signal
 * @returns {import("./types.d.ts").Asset}
 */
function open(spec, { name, ...blob }, signal) {
  const url = locate(spec, blob.file);
  const read = async () => {
    const target = new Uint8Array(blob.bytes);
    await acquire({ blob, url, target, hold: false, priority: 1, signal, onBytes() {} });
    return target;
  };
  const text = async () => new TextDecoder().decode(await read());
  return Object.freeze({ name, url, bytes: blob.bytes, sha256: blob.sha256, arrayBuffer: async () => (await read()).buffer, text, json: async () => JSON.parse(await text()) });
}
