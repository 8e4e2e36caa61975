// A file that is not there any more: is the site newer than this page, or was it deployed incompletely?

import { MbundleError } from "./errors.js";
import { locate } from "./place.js";
import { sha256 } from "./verify.js";

const MOST_BYTES = 64 << 20;

/**
 * @param {import("./types.d.ts").Spec} spec
 * @param {MbundleError} missing
 * @param {AbortSignal} signal
 * @returns {Promise<MbundleError>} what to tell the app
 */
export async function explain(spec, missing, signal) {
  try {
    const pinned = locate(spec, spec.manifest.file);
    const response = await fetch(new URL("../model-manifest.json", pinned), { cache: "no-cache", signal });
    if (!response.ok) return missing;
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length > MOST_BYTES || JSON.parse(new TextDecoder().decode(bytes)).version === undefined) return missing;
    if ((await sha256(bytes)) === spec.manifest.sha256) return missing;
    return new MbundleError("stale-build", `${missing.file} is not on the server any more, which has another build by now.`, { file: missing.file, cause: missing });
  } catch {
    return missing; // nothing to be learnt
  }
}
