// Types of `virtual:mbundle` for this project: a file that refers to the types that mbundle has generated.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { modulesOf } from "./project.js";

const TEMPLATE = fileURLToPath(new URL("./declare.d.ts.txt", import.meta.url));
export const NAME = "mbundle-env.d.ts";

/** @param {string} app folder of the app @param {string} output */
export function declare(app, output) {
  const file = existsSync(join(app, "src")) ? join(app, "src", NAME) : join(app, NAME);
  const to = relative(dirname(file), output).replaceAll("\\", "/");
  const folder = to.startsWith(".") ? to : `./${to}`;
  const [head = "", each = ""] = readFileSync(TEMPLATE, "utf8").split("//@each entry\n");
  const entries = [...modulesOf(output)].map(([name, path]) => each.replaceAll("__NAME__", JSON.stringify(name).slice(1, -1)).replaceAll("__MODULE__", `${folder}/${path}`));
  const text = head.replaceAll("__MODULES__", `${folder}/models.js`) + entries.join("");
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}
