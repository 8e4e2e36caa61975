// Where files are. A name from a manifest is looked up in the table of the generated module or joined to one folder;
// it can never lead out of it.

import { MbundleError } from "./errors.js";
import { FILE } from "./manifest.js";

/** @type {string | null} */
let chosenBase = null;

/**
 * Files of all entries are fetched from `${url}/assets/` from now on: for a page that serves the output folder elsewhere.
 * @param {string | URL | null} url of the output folder; null: back to where the build put them
 */
export function setBase(url) {
  chosenBase = url === null ? null : new URL(`${url}`.replace(/\/?$/, "/"), globalThis.document?.baseURI ?? globalThis.location?.href).href;
}

/**
 * @param {import("./types.d.ts").Spec} spec
 * @returns {string | null} absolute URL of the output folder, where it is known; null: each file has its own URL
 */
export function placeOf(spec) {
  const base = chosenBase ?? spec.base;
  return base === null ? null : new URL(base, globalThis.document?.baseURI ?? globalThis.location?.href).href;
}

/**
 * @param {import("./types.d.ts").Spec} spec
 * @param {string} file
 * @returns {string} absolute URL
 */
export function locate(spec, file) {
  if (!FILE.test(file)) throw new MbundleError("manifest", `${JSON.stringify(file.slice(0, 80))} is no name of a file of this build.`);
  const base = placeOf(spec);
  if (base !== null) return join(new URL("assets/", base).href, file);
  const known = spec.files.find(([name]) => name === file);
  if (!known) throw new MbundleError("manifest", `The loader of ${spec.name} does not know the file ${file}.`, { entry: spec.name, file });
  return known[1];
}

/** @param {string} folder absolute, ends with a slash @param {string} file */
function join(folder, file) {
  const joined = new URL(file, folder).href;
  if (joined !== folder + file) throw new MbundleError("manifest", `${file} leads out of ${folder}.`, { file });
  return joined;
}
