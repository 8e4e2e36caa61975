// `mbundle build`, once, before the app's own production build.

import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";

import { PluginError, findCommand, notInstalled, start } from "./command.js";
import { describe } from "./problems.js";
import { isBuilt } from "./project.js";

/** What is used when Python is not there, as on many hosts: an output folder that came with the project. */
const USUAL = "mbundle-output";

/**
 * @param {string} root folder of model.config.py
 * @param {string | readonly string[] | undefined} given see `findCommand`
 * @param {(text: string) => void} warn
 * @returns {Promise<string>} the output folder, absolute
 */
export async function build(root, given, warn) {
  const command = findCommand(root, given);
  if (!command) return built(root, warn);
  const child = start(command, ["build", "--json"], root);
  child.stdin.on("error", () => {});
  child.stdin.end();
  const ended = new Promise((done, fail) => child.on("error", fail).on("close", done));
  const [printed] = await Promise.all([text(child.stdout), ended]).catch((error) => {
    throw new PluginError(`\`${command.join(" ")}\` cannot be started: ${error.message}`);
  });
  const result = parse(printed);
  if (result?.ok) return resolve(root, result.outDir);
  throw new PluginError(result?.problems?.length ? describe(result.problems) : `\`mbundle build\` failed in ${root}; see above.`);
}

/** @param {string} printed @returns {any} */
function parse(printed) {
  try {
    return JSON.parse(printed);
  } catch {
    return undefined;
  }
}

/** @param {string} root @param {(text: string) => void} warn */
function built(root, warn) {
  const output = join(root, USUAL);
  if (!isBuilt(output)) throw notInstalled(root);
  warn(`mbundle is not installed here: ${output} is used as it is`);
  return output;
}
