// Origins without WebCrypto (http:// other than localhost): the browser checks what it fetches, by `integrity`.

import { MbundleError } from "./errors.js";
import { download } from "./fetch.js";

/**
 * The browser checks `integrity` itself but says "failed" whatever is wrong: ask once more without, to name the fault.
 * @param {import("./fetch.js").Job} job
 * @param {string} sha256 lower-case hex
 * @returns {Promise<boolean>} false: something else came, of the right size
 */
export async function downloadChecked(job, sha256) {
  try {
    await download({ ...job, integrity: integrityOf(sha256) });
    return true;
  } catch (cause) {
    if (!(cause instanceof MbundleError) || cause.code !== "network") throw cause;
    await download(job);
    return false;
  }
}

/** @param {string} hex @returns {string} as fetch's `integrity` takes it */
function integrityOf(hex) {
  const bytes = hex.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  return `sha256-${btoa(String.fromCharCode(...bytes))}`;
}
