// Where things are: the folder of model.config.py, and what a build has put into its output folder.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { PluginError, ancestors } from "./command.js";

export const CONFIG = "model.config.py";
const MODULE = /^ {2}\[("(?:[^"\\]|\\.)*"), "\w+", \(\) => import\("\.\/(entries\/[\w.-]+\.js)"\)\],$/gm;
const FILE = /^ {2}\["([a-z0-9][a-z0-9._-]*)", new URL\(/gm;
const OWN_RUNTIME = /\bort: \{/;

/**
 * @param {string} start folder of the app
 * @param {string | undefined} given by the user, absolute or relative to `start`
 * @returns {string} folder of model.config.py
 */
export function findRoot(start, given) {
  const places = given === undefined ? ancestors(start) : [resolve(start, given)];
  const found = places.find((folder) => existsSync(join(folder, CONFIG)));
  if (found !== undefined) return found;
  const where = given === undefined ? `${start} or above it` : String(places[0]);
  throw new PluginError(`There is no ${CONFIG} in ${where}. Run \`mbundle init\` there, or say where it is: mbundle({ root: "..." })`);
}

/** Entry -> its module below the output folder, as models.js lists them. @param {string} output @returns {Map<string, string>} */
export function modulesOf(output) {
  const text = readFileSync(join(output, "models.js"), "utf8");
  return new Map([...text.matchAll(MODULE)].map(([, name = "", path = ""]) => [JSON.parse(name), path]));
}

/** @param {string} output absolute @param {string} name what follows `virtual:mbundle/`, or "" @returns {string} absolute path of the module */
export function moduleOf(output, name) {
  if (name === "") return join(output, "models.js");
  const modules = modulesOf(output);
  const path = modules.get(name);
  if (path === undefined) {
    throw new PluginError(`There is no entry "${name}" in ${CONFIG}. It has: ${[...modules.keys()].join(", ")}`);
  }
  return join(output, path);
}

/**
 * Names below assets/ of all files that a page with this entry may ask for; none when the config says that they are
 * served from elsewhere.
 * @param {string} text of `entries/<name>.js`
 * @returns {string[]}
 */
export const filesOf = (text) => [...text.matchAll(FILE)].map(([, name = ""]) => name);

/** Whether onnxruntime-web is among them, `Output(ort="self")`. @param {string} text */
export const hasOwnRuntime = (text) => OWN_RUNTIME.test(text);

/** @param {string} output */
export const isBuilt = (output) => existsSync(join(output, "models.js"));
