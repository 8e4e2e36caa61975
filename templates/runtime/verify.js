// sha256 of what was fetched. WebCrypto hashes on another thread, so that a chunk is checked while the next one comes.

import { passing } from "./scratch.js";

/** False on insecure origins (http:// other than localhost): there the browser itself checks, see insecure.js. */
export const canHash = () => globalThis.crypto?.subtle !== undefined;

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<string>} lower-case hex
 */
export async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", passing(bytes)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
