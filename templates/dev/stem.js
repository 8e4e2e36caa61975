// The file name of an entry's module, as bundler/emit/loader.py makes it.

/** @param {string} name @returns {Promise<string>} */
export async function stem(name) {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(name)) return name;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name)));
  return `entry-${Array.from(digest.subarray(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
