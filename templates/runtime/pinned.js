// The manifest of a build: named and hashed by the generated module, so that it is as trusted as the page's own code.

import { acquire } from "./acquire.js";
import { parseManifest } from "./manifest.js";
import { locate } from "./place.js";

/** @type {Map<string, import("./types.d.ts").Manifest>} */
const parsed = new Map();

/**
 * @param {import("./types.d.ts").Spec} spec
 * @param {AbortSignal} signal
 * @returns {Promise<import("./types.d.ts").Manifest>}
 */
export async function fetchManifest(spec, signal) {
  const blob = spec.manifest;
  const known = parsed.get(blob.sha256);
  if (known) return known;
  const target = new Uint8Array(blob.bytes);
  await acquire({ blob, url: locate(spec, blob.file), target, hold: false, priority: 2, signal, onBytes() {} });
  const manifest = parseManifest(target);
  parsed.set(blob.sha256, manifest);
  return manifest;
}
