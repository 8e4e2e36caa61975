// Puts a build's files beside the app: copied by the system, or shared with the output folder where its file system can;
// they never pass through JavaScript, whatever they weigh.

import { constants, existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { copyFile, mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";

import { filesOf, hasOwnRuntime } from "./project.js";
import { isElsewhere } from "./rewrite.js";

const TWINS = ["", ".br", ".zst"];
const POINTER = "model-manifest.json"; // tells a page that was opened before a deploy that there is a newer build

/**
 * @param {string} output
 * @param {Iterable<string>} modules absolute paths of the `entries/*.js` that the app uses
 * @returns {string[]} paths below the output folder
 */
export function neededFiles(output, modules) {
  const texts = [...modules].map((path) => readFileSync(path, "utf8")).filter((text) => !isElsewhere(text));
  if (texts.length === 0) return [];
  const named = texts.flatMap(filesOf).flatMap((name) => TWINS.map((twin) => `assets/${name}${twin}`));
  const licences = texts.some(hasOwnRuntime) ? readdirSync(join(output, "assets")).filter((name) => /^license-/.test(name)).map((name) => `assets/${name}`) : [];
  return [...new Set([...named, ...licences, POINTER])].filter((name) => existsSync(join(output, name)));
}

/**
 * @param {string} output
 * @param {readonly string[]} names
 * @param {string} target folder
 * @returns {Promise<number>} bytes of all of them
 */
export async function copyFiles(output, names, target) {
  let bytes = 0;
  for (const name of names) {
    const from = join(output, name);
    const to = join(target, name);
    const { size } = statSync(from);
    bytes += size;
    if (name !== POINTER && existsSync(to) && statSync(to).size === size) continue; // its name is its content
    await mkdir(dirname(to), { recursive: true });
    await copyFile(from, `${to}.part`, constants.COPYFILE_FICLONE);
    await rename(`${to}.part`, to);
  }
  return bytes;
}

/** @param {number} bytes */
export const megabytes = (bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
