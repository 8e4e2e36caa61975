// Finds and starts the command `mbundle`, which is a Python program: in the project's virtual environment or on the PATH.

import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

const WINDOWS = process.platform === "win32";
const PROGRAM = WINDOWS ? "mbundle.exe" : "mbundle";
const BIN = WINDOWS ? "Scripts" : "bin";

/** A failure that the developer can mend; its message is all that she needs to see. */
export class PluginError extends Error {
  /** @override */
  name = "mbundle";
}

/**
 * @param {string} root folder of model.config.py
 * @param {string | readonly string[] | undefined} given a program, or a program and its first arguments
 * @returns {readonly string[] | undefined} what to start; undefined: it is not installed
 */
export function findCommand(root, given) {
  if (given !== undefined) return typeof given === "string" ? [given] : given;
  const found = places(root).map((place) => join(place, PROGRAM)).find(isFile);
  return found === undefined ? undefined : [found];
}

/** @param {string} root @returns {string[]} */
function places(root) {
  const environments = [...ancestors(root).flatMap((folder) => [join(folder, ".venv"), join(folder, "venv")])];
  const { VIRTUAL_ENV, PATH = "" } = process.env;
  if (VIRTUAL_ENV) environments.push(VIRTUAL_ENV);
  return [...environments.map((folder) => join(folder, BIN)), ...PATH.split(delimiter).filter(Boolean)];
}

/** `folder` and all that it lies in. @param {string} folder @returns {string[]} */
export const ancestors = (folder) => (folder === dirname(folder) ? [folder] : [folder, ...ancestors(dirname(folder))]);

/** @param {string} path */
const isFile = (path) => existsSync(path) && statSync(path).isFile();

/** @param {string} root */
export const notInstalled = (root) =>
  new PluginError(
    `The command \`mbundle\` was not found: not in .venv at or above ${root}, not in $VIRTUAL_ENV, not on the PATH.\n` +
      "  Install it:  python3 -m venv .venv && .venv/bin/pip install mbundle\n" +
      '  or name it:  mbundle({ command: "/path/to/mbundle" })',
  );

/**
 * @param {readonly string[]} command
 * @param {readonly string[]} more
 * @param {string} cwd
 */
export function start(command, more, cwd) {
  const [program = "", ...first] = command;
  return spawn(program, [...first, ...more], { cwd, stdio: ["pipe", "pipe", "inherit"], windowsHide: true });
}
