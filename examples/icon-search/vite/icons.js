// `virtual:icons`: what the page searches in, made when the app is built. Names, tags and shapes of Lucide's icons, and
// one vector an icon for each variant of the model: a query is compared only with vectors of the very model that reads it.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import { embed } from "./embed.js";

const NAME = "virtual:icons";
const TELL_MS = 5000;
const FORMAT = 1; // of what is kept in .mbundle/icons: raise it when this file makes something else of the same model

/** @param {{ entry: string }} options @returns {import("vite").Plugin} */
export default function icons({ entry }) {
  let root = "";
  return {
    name: "icons",

    configResolved(config) {
      root = config.root;
    },

    resolveId: (source) => (source === NAME ? `\0${NAME}` : undefined),

    async load(id) {
      if (id !== `\0${NAME}`) return undefined;
      const module = await this.resolve(`virtual:mbundle/${entry}`); // when it is there, so is what mbundle has built
      if (!module) throw new Error(`no entry "${entry}"`);
      const output = dirname(dirname(module.id));
      const manifest = join(output, "model-manifest.json");
      this.addWatchFile(manifest);
      const { assets, variants } = JSON.parse(readFileSync(manifest, "utf8")).entries[entry];
      const tokenizer = join(output, "assets", assets.find(({ name }) => name.endsWith("tokenizer.json")).file);
      const found = lucide(root);
      const kept = join(root, ".mbundle", "icons");
      const listed = keep(kept, "icons", "json", JSON.stringify(found));
      const lines = [`export { default as icons } from ${quoted(listed)};`, `export { default as tokenizer } from ${quoted(tokenizer)};`];
      const urls = [];
      for (const [at, variant] of variants.entries()) {
        const texts = found.map(describe);
        const file = await vectors(kept, { output, variant, tokenizer, texts }, (text) => console.info(`icons: ${text}`));
        lines.push(`import v${at} from ${quoted(file)};`);
        urls.push(`${JSON.stringify(variant.name)}: v${at}`);
      }
      return `${lines.join("\n")}\nexport const vectors = { ${urls.join(", ")} };\n`;
    },
  };
}

/** What the model reads of an icon. @param {{ name: string, tags: string[] }} icon */
const describe = ({ name, tags }) => name.replaceAll("-", " ") + (tags.length ? ` (${tags.join(", ")})` : "");

/** @param {string} path */
const quoted = (path) => JSON.stringify(`${path.replaceAll("\\", "/")}?url`);

/** @param {string} root @returns {{ name: string, tags: string[], nodes: [string, Record<string, string>][] }[]} */
function lucide(root) {
  const folder = dirname(createRequire(join(root, "index.js")).resolve("lucide-static/package.json"));
  const read = (file) => JSON.parse(readFileSync(join(folder, file), "utf8"));
  const [tags, nodes] = [read("tags.json"), read("icon-nodes.json")];
  return Object.keys(tags).filter((name) => name in nodes).sort().map((name) => ({ name, tags: tags[name], nodes: nodes[name] }));
}

/** A file of int8 vectors, made once for the bytes that it follows from. */
async function vectors(folder, { output, variant, tokenizer, texts }, say) {
  const marks = [variant.graph, ...variant.data.flatMap(({ chunks }) => chunks)].map(({ sha256 }) => sha256);
  const key = createHash("sha256").update(JSON.stringify([FORMAT, marks, tokenizer, texts])).digest("hex").slice(0, 16);
  const path = join(folder, `${variant.name}-${key}.bin`);
  if (existsSync(path)) return path;
  say(`embedding ${texts.length} icons with ${variant.name}, once`);
  const began = performance.now();
  let told = began;
  const made = await embed({ output, variant, tokenizer, texts }, (done) => {
    if (performance.now() - told < TELL_MS) return;
    told = performance.now();
    say(`${done} of ${texts.length}`);
  });
  say(`done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return put(path, made);
}

/** @param {string} folder @param {string} name @param {string} kind @param {string} text */
function keep(folder, name, kind, text) {
  const path = join(folder, `${name}-${createHash("sha256").update(text).digest("hex").slice(0, 16)}.${kind}`);
  return existsSync(path) ? path : put(path, text);
}

/** Whole or not there. @param {string} path @param {string | Uint8Array} content */
function put(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
  return path;
}
