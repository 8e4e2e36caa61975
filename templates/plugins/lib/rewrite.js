// What becomes of a generated `entries/<name>.js` inside a bundler: it names one folder, the one that the plugin serves
// or copies to, in place of a URL for each file, so that the bundler has nothing to read, rename or hash.

const URLS = /^const files = \[\n(?: {2}\[.*\],\n)*\];\n/m;
const REMARK = /^\/\/ Each URL is written out.*\n/m;
const BASE = /, base: (null|"(?:[^"\\]|\\.)*"), /;
const OWN = /, ort: null \}/;
const RUNTIME = /^import \{ entry \} from ".*\/index\.js";$/m;

/**
 * @typedef {object} Where
 * @property {string | null} place an expression, the URL of the output folder; null: as the config says
 * @property {string} [ort] an expression, where the wasm files of onnxruntime-web are: `{ wasm: url, ... }`
 * @property {string} [entry] the module that exports `entry`, in place of the runtime's
 * @property {string} [accept] a statement at the end
 */

/** @param {string} text @param {Where} where @returns {string} */
export function rewrite(text, { place, ort, entry, accept = "" }) {
  let code = text;
  if (place !== null) {
    for (const pattern of [URLS, BASE]) if (!pattern.test(code)) throw new Error("This output was built by another version of mbundle than the plugin; update both.");
    code = code.replace(REMARK, "").replace(URLS, "const files = [];\n").replace(BASE, () => `, base: ${place}, `);
  }
  if (ort) code = code.replace(OWN, () => `, ort: ${ort} }`);
  if (entry) code = code.replace(RUNTIME, () => `import { entry } from ${JSON.stringify(entry)};`);
  return accept ? `${code}\n${accept}\n` : code;
}

/** Whether the config says where the files are served from: `Output(base="https://...")`. @param {string} text */
export const isElsewhere = (text) => BASE.exec(text)?.[1] !== "null";
