// Production builds of an app whose folder holds main.js and mbundle's dist, with nothing configured but where the
// result is served: `node build.mjs vite|webpack <folder> <output> <base>`. Prints the bundler's warnings.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

const HTML = (script) => `<!doctype html><title>app</title><script type="module" src="${script}"></script>`;

const bundlers = {
  async vite(root, outDir, base) {
    const { build, createLogger } = await import("vite");
    // Rolldown remarks when plugins take most of a build's time, which on a busy machine they do.
    const warn = (text) => text.includes("PLUGIN_TIMINGS") || console.log(text);
    const customLogger = { ...createLogger("warn"), warn };
    await writeFile(join(root, "index.html"), HTML("./main.js"));
    await build({ root, base, configFile: false, logLevel: "warn", customLogger, build: { outDir } });
  },
  async webpack(context, path, publicPath) {
    const { default: webpack } = await import("webpack");
    const config = { context, mode: "production", entry: "./main.js", performance: false, output: { path, publicPath, filename: "main.js" } };
    const stats = await new Promise((resolve, reject) => webpack(config, (error, made) => (error ? reject(error) : resolve(made))));
    if (stats.hasErrors()) throw new Error(stats.toString("errors-only"));
    if (stats.hasWarnings()) console.log(stats.toString("errors-warnings"));
    await writeFile(join(path, "index.html"), HTML(`${publicPath}main.js`));
  },
};

const [bundler, ...where] = process.argv.slice(2);
await bundlers[bundler](...where);
