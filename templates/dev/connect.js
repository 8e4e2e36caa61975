// From events to what they mean: models are renewed, errors are shown and go away. How events come here is not known.

import { outdated, renew } from "./hot.js";
import { hide, show } from "./overlay.js";

/** @typedef {import("./events.d.ts").Event} Event @typedef {import("./events.d.ts").Problem} Problem */

/** @type {(() => void) | undefined} */
let disconnect;
/** @type {(version: string) => void} */
let built;
/** sha256 of the manifest of the first good build that this page hears of. @type {Promise<string>} */
export const firstBuild = new Promise((resolve) => (built = resolve));

/**
 * Once a page; later calls give the same.
 * @param {import("./events.d.ts").Subscribe} subscribe
 * @param {import("./events.d.ts").ImportEntry} importEntry
 * @returns {() => void} ends it
 */
export function connect(subscribe, importEntry) {
  return (disconnect ??= subscribe((event) => void heard(event, importEntry)));
}

/** @param {Event} event @param {import("./events.d.ts").ImportEntry} importEntry */
async function heard(event, importEntry) {
  if ("manifest" in event && event.manifest) built(event.manifest.sha256);
  switch (event.type) {
    case "hello":
      show(event.problems);
      if (event.manifest) await renewAll(outdated(event.manifest.sha256), event.manifest.sha256, importEntry);
      break;
    case "error":
      show(event.problems);
      break;
    case "build-unchanged":
      hide();
      break;
    case "model-update":
      hide();
      await renewAll(event.entries, event.manifest.sha256, importEntry);
  }
}

/** @param {readonly string[]} names @param {string} version @param {import("./events.d.ts").ImportEntry} importEntry */
async function renewAll(names, version, importEntry) {
  const began = performance.now();
  const ends = await Promise.allSettled(names.map((name) => renew(name, version, importEntry)));
  const problems = ends.flatMap((end, index) => (end.status === "rejected" ? [problemOf(/** @type {string} */ (names[index]), end.reason)] : []));
  if (problems.length > 0) show(problems);
  else if (names.length > 0) console.debug(`[mbundle] ${names.join(", ")}: new build in use after ${(performance.now() - began).toFixed(0)} ms`);
}

/** A build that is good but cannot be loaded here; the old one stays in use. @param {string} entry @param {any} error @returns {Problem} */
function problemOf(entry, error) {
  const what = error?.what ?? String(error?.message ?? error);
  return { code: error?.code ?? "dev", what: `The new build cannot be loaded in this page: ${what}`, fix: error?.fix || "The former build stays in use. Reload the page to see whether it helps.", entry, severity: "error" };
}
