// The webpack plugin: `import { load } from "virtual:mbundle"`.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "./lib/build.js";
import { copyFiles, neededFiles } from "./lib/copy.js";
import { declare } from "./lib/declare.js";
import { LiveEvents } from "./lib/live.js";
import { findRoot, moduleOf } from "./lib/project.js";
import { PREFIX, serveFiles } from "./lib/serve.js";
import { openSession } from "./lib/session.js";

/**
 * @typedef {object} Options
 * @property {string} [root] folder of model.config.py; default: webpack's context, or the nearest folder above that has it
 * @property {string | readonly string[]} [command] the command `mbundle`; default: .venv/bin/mbundle at or above `root`, $VIRTUAL_ENV, PATH
 * @property {string} [dir] folder below `output.path` that the models' files are copied to; default: "models"
 */

const NAME = "mbundle";
const ASKED = /^virtual:mbundle(?:\/(.+))?$/s;
const RUNTIME = "virtual:mbundle-runtime";
const HERE = dirname(fileURLToPath(import.meta.url));

export class MbundlePlugin {
  /** @param {Options} [options] */
  constructor(options = {}) {
    this.options = options;
    this.dir = options.dir ?? "models";
    /** @type {string | undefined} */
    this.output = undefined;
    this.serving = false;
    /** Whether there is nothing that could be served, for the first build failed. */
    this.broken = false;
    /** @type {import("./lib/session.js").Session | undefined} */
    this.session = undefined;
    /** @type {Set<string>} */
    this.copied = new Set();
  }

  /** @param {import("webpack").Compiler} compiler */
  apply(compiler) {
    const root = findRoot(compiler.context, this.options.root);
    const app = compiler.context;
    this.serveIn(compiler);
    compiler.hooks.beforeRun.tapPromise(NAME, async () => {
      this.output = await build(root, this.options.command, (text) => compiler.getInfrastructureLogger(NAME).warn(text));
      declare(app, this.output);
    });
    compiler.hooks.watchRun.tapPromise(NAME, () => this.watch(compiler, root));
    compiler.hooks.watchClose.tap(NAME, () => void this.close());
    compiler.hooks.shutdown.tapPromise(NAME, () => this.close());
    compiler.hooks.normalModuleFactory.tap(NAME, (factory) =>
      factory.hooks.beforeResolve.tapPromise(NAME, async (asked) => {
        const [matched, name = ""] = ASKED.exec(asked.request) ?? [];
        if (matched !== undefined) asked.request = moduleOf(await this.ready(), name);
        else if (asked.request === RUNTIME) asked.request = runtimeOf(await this.ready());
      }),
    );
    compiler.options.module.rules.push({
      test: (/** @type {string} */ path) => this.isEntry(path),
      enforce: "post",
      use: () => [{ loader: join(HERE, "webpack-loader.js"), options: { dir: this.dir, prefix: PREFIX, client: this.serving ? join(HERE, "client", "webpack.js") : "" } }],
    });
    this.copyAfter(compiler);
  }

  /** @param {string} path */
  isEntry(path) {
    return this.output !== undefined && dirname(path) === join(this.output, "entries") && path.endsWith(".js");
  }

  async ready() {
    if (this.session) this.output = await this.session.ready();
    if (this.output === undefined) throw new Error("mbundle has built nothing yet");
    return this.output;
  }

  /** @param {import("webpack").Compiler} compiler @param {string} root */
  async watch(compiler, root) {
    if (this.session) return;
    const session = (this.session = openSession(root, this.options.command));
    this.leave = session.subscribe((event) => {
      this.output = session.output;
      const built = event.type === "model-update" || event.type === "build-unchanged";
      if (built && this.output !== undefined) declare(compiler.context, this.output);
      if (built && this.broken) compiler.watching?.invalidate();
      this.broken = event.type === "error" ? this.output === undefined : this.broken && !built;
      this.events?.send(event);
    });
    await session.ready().then((output) => (this.output = output), () => {}); // who imports the models is told
  }

  async close() {
    const { session } = this;
    this.session = undefined;
    this.leave?.();
    this.events?.close();
    await session?.close();
  }

  /** webpack-dev-server asks for its middlewares before it starts to compile. @param {import("webpack").Compiler} compiler */
  serveIn(compiler) {
    const { devServer } = /** @type {any} */ (compiler.options);
    if (!devServer) return;
    const former = devServer.setupMiddlewares;
    devServer.setupMiddlewares = (/** @type {any[]} */ middlewares, /** @type {any} */ server) => {
      this.serving = true;
      this.events = new LiveEvents(() => ({ type: "hello", manifest: null, problems: this.session?.problems ?? [] }));
      const own = [this.events.middleware, serveFiles(() => this.output)].map((middleware) => ({ name: NAME, middleware }));
      const checks = middlewares.findIndex(({ name }) => name === "compression" || name === "set-headers" || name === "webpack-dev-middleware");
      middlewares.splice(Math.max(checks, 0), 0, ...own);
      return former ? former(middlewares, server) : middlewares;
    };
  }

  /** @param {import("webpack").Compiler} compiler */
  copyAfter(compiler) {
    compiler.hooks.compilation.tap(NAME, (compilation) => {
      const { CleanPlugin } = compiler.webpack;
      CleanPlugin.getCompilationHooks(compilation).keep.tap(NAME, (asset) => (this.copied.has(asset) ? true : undefined));
    });
    compiler.hooks.thisCompilation.tap(NAME, (compilation) => {
      compilation.hooks.afterSeal.tap(NAME, () => {
        const used = [...compilation.modules].map((module) => /** @type {any} */ (module).resource).filter((path) => path && this.isEntry(path));
        this.names = this.output === undefined ? [] : neededFiles(this.output, new Set(used));
        this.copied = new Set(this.names.map((name) => `${this.dir}/${name}`));
      });
    });
    compiler.hooks.afterEmit.tapPromise(NAME, async () => {
      if (this.serving || this.output === undefined || !this.names?.length) return;
      await copyFiles(this.output, this.names, join(compiler.outputPath, this.dir));
    });
  }
}

export default MbundlePlugin;

/** @param {string} output */
const runtimeOf = (output) => join(output, /"\.\/(runtime-[0-9a-f]+\/index\.js)"/.exec(readFileSync(join(output, "models.js"), "utf8"))?.[1] ?? "");
