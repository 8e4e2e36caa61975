// The Vite plugin: `import { load } from "virtual:mbundle"`.

import { readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, posix, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "./lib/build.js";
import { copyFiles, megabytes, neededFiles } from "./lib/copy.js";
import { declare } from "./lib/declare.js";
import { findRoot, moduleOf, modulesOf } from "./lib/project.js";
import { rewrite, isElsewhere } from "./lib/rewrite.js";
import { PREFIX, serveFiles } from "./lib/serve.js";
import { openSession, outputOf } from "./lib/session.js";

/**
 * @typedef {object} Options
 * @property {string} [root] folder of model.config.py; default: Vite's root, or the nearest folder above that has it
 * @property {string | readonly string[]} [command] the command `mbundle`; default: .venv/bin/mbundle at or above `root`, $VIRTUAL_ENV, PATH
 * @property {string} [dir] folder below `build.outDir` that the models' files are copied to; default: "models"
 */

const NAME = /^virtual:mbundle(?:\/(.+))?$/s;
const DEV = "virtual:mbundle-dev";
const RUNTIME = "virtual:mbundle-runtime";
const PACKAGE = dirname(dirname(fileURLToPath(import.meta.url)));
const CLIENT = join(PACKAGE, "plugins", "client", "vite.js").replaceAll("\\", "/");
const PLACE = "__MBUNDLE_PLACE__";
const WASM = { wasm: "", jspi: ".jspi", webgpu: ".asyncify" };
const SOCKET = "mbundle:event";

/** @param {Options} [options] @returns {import("vite").Plugin} */
export default function mbundle(options = {}) {
  const dir = options.dir ?? "models";
  /** @type {import("vite").ResolvedConfig} */
  let config;
  /** @type {import("./lib/session.js").Session | undefined} */
  let session;
  let root = "";
  /** @type {string | undefined} */
  let output;
  let serving = false;
  let broken = false;

  const ready = async () => {
    if (session) output = await session.ready();
    if (output === undefined) throw new Error("mbundle has built nothing yet");
    return output;
  };
  /** @param {string} id @returns {string | undefined} path of an entry's module */
  const entryModule = (id) => {
    const path = id.replace(/\?.*$/s, "");
    return output !== undefined && path.startsWith(`${slashed(output)}/entries/`) && path.endsWith(".js") ? path : undefined;
  };
  /** Names and URLs, for the page. */
  const modules = () => (output === undefined ? {} : Object.fromEntries([...modulesOf(output)].map(([name, path]) => [name, posix.join(config.base, "/@fs/", slashed(join(/** @type {string} */ (output), path)))])));

  return {
    name: "mbundle",
    enforce: "pre",

    // Prebundled, onnxruntime-web would look for its wasm beside the bundle, where it is not. A worker of the usual format
    // cannot import anything later.
    config: (user) => ({ optimizeDeps: { exclude: ["onnxruntime-web"] }, worker: { format: user.worker?.format ?? "es" } }),

    configResolved(resolved) {
      config = resolved;
      root = findRoot(config.root, options.root);
      config.server.fs.allow.push(slashed(PACKAGE), slashed(root), ...ortFolder(config.root));
    },

    async buildStart() {
      if (serving || config.command === "serve") return;
      output = slashed(await build(root, options.command, (text) => this.warn(text)));
      declare(config.root, output);
      for (const path of modulesOf(output).values()) this.addWatchFile(join(output, path));
    },

    configureServer(server) {
      serving = true;
      server.middlewares.use(serveFiles(() => output));
      if (process.env.VITEST) {
        output = outputOf(root);
        return;
      }
      const opened = (session = openSession(root, options.command));
      const stop = opened.subscribe(async (event) => {
        output = opened.output && slashed(opened.output);
        const built = event.type === "model-update" || event.type === "build-unchanged";
        if (built && output !== undefined) declare(config.root, output);
        if (built && broken) server.ws.send({ type: "full-reload" }); // a page that could not be loaded at all
        broken = event.type === "error" ? output === undefined : broken && !built;
        server.ws.send(SOCKET, { ...event, modules: modules() });
      });
      server.ws.on("mbundle:hello", (_, client) => client.send(SOCKET, { type: "hello", manifest: manifestOf(output), problems: opened.problems, modules: modules() }));
      const close = server.close.bind(server);
      server.close = async () => {
        stop();
        await Promise.all([close(), opened.close()]);
      };
    },

    async resolveId(source, importer) {
      if (source === DEV) return CLIENT;
      if (source === RUNTIME) return slashed(runtimeOf(await ready()));
      const [matched, name = ""] = NAME.exec(source) ?? [];
      if (matched !== undefined) return slashed(moduleOf(await ready(), name));
      const outside = importer !== undefined && output !== undefined && importer.startsWith(`${output}/`);
      if (outside && source.startsWith("onnxruntime-web")) return this.resolve(source, join(config.root, "index.html"), { skipSelf: true });
      return undefined;
    },

    transform(code, id, context) {
      if (!entryModule(id)) return undefined;
      if (serving) {
        // Not `new URL("...", import.meta.url)`: Vite would take it for a file.
        const place = `new URL(import.meta.url).origin + ${JSON.stringify(posix.join(config.base, PREFIX, "/"))}`;
        return { code: rewrite(code, { place: context?.ssr ? null : place, ...(context?.ssr ? {} : { entry: DEV }) }), map: null };
      }
      const wasm = Object.entries(WASM).map(([build, kind]) => `import ${build} from "onnxruntime-web/ort-wasm-simd-threaded${kind}.wasm?url";\n`);
      const urls = Object.keys(WASM).map((build) => `${build}: { module: null, wasm: new URL(${build}, import.meta.url).href }`);
      const elsewhere = isElsewhere(code);
      return { code: wasm.join("") + rewrite(code, { place: elsewhere ? null : PLACE, ort: `{ ${urls.join(", ")} }` }), map: null };
    },

    renderChunk(code, chunk) {
      if (!code.includes(PLACE)) return null;
      return { code: code.replaceAll(PLACE, () => placeIn(config, chunk.fileName, dir)), map: null };
    },

    async writeBundle(written, bundle) {
      if (output === undefined || serving || config.build.ssr) return;
      const used = Object.values(bundle).flatMap((one) => (one.type === "chunk" ? one.moduleIds.map(entryModule) : []));
      const names = neededFiles(output, new Set(used.filter((path) => path !== undefined)));
      if (names.length === 0) return;
      const target = join(resolve(config.root, written.dir ?? config.build.outDir), dir);
      const bytes = await copyFiles(output, names, target);
      config.logger.info(`mbundle: ${names.length} files, ${megabytes(bytes)} → ${relative(config.root, target)}/`);
    },

    hotUpdate({ file }) {
      return entryModule(file) ? [] : undefined; // the page renews it when mbundle says that all of the build is there
    },
  };
}

/** Where onnxruntime-web is, whose wasm is fetched from there: a link, or above the root, in many a repository. @param {string} app */
function ortFolder(app) {
  try {
    return [slashed(dirname(realpathSync(createRequire(join(app, "index.js")).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"))))];
  } catch {
    return []; // the runtime tells the page that it is not installed
  }
}

/** @param {string} path */
const slashed = (path) => path.replaceAll("\\", "/");

/** The URL of the models' folder, as an expression in a chunk. @param {import("vite").ResolvedConfig} config @param {string} chunk @param {string} dir */
function placeIn(config, chunk, dir) {
  const render = config.experimental.renderBuiltUrl;
  const rendered = render?.(`${dir}/`, { type: "asset", hostId: chunk, hostType: "js", ssr: false });
  if (typeof rendered === "object" && rendered.runtime) return `new URL(${rendered.runtime}, import.meta.url).href`;
  const near = ["", "./"].includes(config.base) || (typeof rendered === "object" && rendered.relative);
  const url = typeof rendered === "string" ? rendered : near ? `${posix.relative(posix.dirname(chunk), dir) || "."}/` : `${config.base}${dir}/`;
  return `new URL(${JSON.stringify(url)}, import.meta.url).href`;
}

/** @param {string} output */
const runtimeOf = (output) => join(output, /"\.\/(runtime-[0-9a-f]+\/index\.js)"/.exec(readFileSync(join(output, "models.js"), "utf8"))?.[1] ?? "");

/** What the modules of the last build are pinned to. @param {string | undefined} output */
function manifestOf(output) {
  if (output === undefined) return null;
  const [path] = modulesOf(output).values();
  const found = path && /"sha256":"([0-9a-f]{64})"/.exec(readFileSync(join(output, path), "utf8"));
  return found ? { sha256: found[1] } : null;
}
