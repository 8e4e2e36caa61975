// Who needs what the store holds: each build of this origin leaves a note of its files.

import { filesOf } from "./assemble.js";
import { openStore } from "./store.js";

export const LIVE = "live-"; // one note for each build of this origin: the files of its last manifest

/**
 * Writes down what a build consists of, before any of it is stored: what nobody names is removed by whoever tidies next.
 * @param {string} build whatever stays the same from one version of a build to the next
 * @param {import("./types.d.ts").Spec} spec
 * @param {import("./types.d.ts").Manifest} manifest
 */
export async function noteBuild(build, spec, manifest) {
  const store = await openStore();
  if (!store.shared) return;
  const files = [...manifest.entries.values()].flatMap(({ assets, variants }) => [...assets, ...variants.flatMap(filesOf)]);
  const live = [spec.manifest, ...files].map(({ sha256 }) => sha256);
  await store.note(LIVE + (await nameOf(build)), JSON.stringify({ at: Date.now(), live: [...new Set(live)] }));
}

/** @param {string} text */
async function nameOf(text) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
