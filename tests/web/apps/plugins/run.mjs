// Vite or webpack with mbundle's plugin: `node run.mjs <bundler> serve|build <folder> <plugins> <base> <mbundle...>`.
// Serving, it prints its URL and goes on until it is killed.
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [bundler, verb, folder, plugins, base, ...words] = process.argv.slice(2);
const command = words.length ? words : undefined;
const load = async (name) => import(pathToFileURL(createRequire(join(folder, "index.js")).resolve(name)).href);
const HTML = (script) => `<!doctype html><title>app</title><body><script type="module" src="${script}"></script>`;

async function vite() {
  const { default: mbundle } = await import(join(plugins, "plugins", "vite.js"));
  const { createServer, build } = await import(pathToFileURL(join(createRequire(join(folder, "index.js")).resolve(`${bundler}/package.json`), "..", "dist", "node", "index.js")).href);
  await writeFile(join(folder, "index.html"), HTML("./main.js"));
  const config = { root: folder, base, configFile: false, logLevel: "warn", plugins: [mbundle({ command })], build: { outDir: "out" }, server: { port: 0, host: "127.0.0.1" } };
  if (verb === "build") return build(config);
  const server = await createServer(config);
  await server.listen();
  console.log(`http://127.0.0.1:${server.httpServer.address().port}${server.config.base}`);
}

async function webpack() {
  const { MbundlePlugin } = await import(join(plugins, "plugins", "webpack.js"));
  const { default: pack } = await load("webpack");
  const path = join(folder, "out");
  const mode = verb === "build" ? "production" : "development";
  const config = { context: folder, mode, entry: "./main.js", performance: false, stats: "errors-warnings", output: { path, publicPath: base, filename: "main.js", clean: true }, plugins: [new MbundlePlugin({ command })], experiments: { topLevelAwait: true }, devServer: { port: 0, host: "127.0.0.1", static: { directory: join(folder, "web") } } };
  const compiler = pack(config);
  if (verb === "build") {
    const stats = await new Promise((resolve, reject) => compiler.run((error, made) => (error ? reject(error) : resolve(made))));
    if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString("errors-warnings"));
    await writeFile(join(path, "index.html"), HTML(`${base}main.js`));
    return new Promise((resolve) => compiler.close(resolve));
  }
  const { default: Server } = await load("webpack-dev-server");
  const server = new Server(compiler.options.devServer, compiler);
  await server.start();
  console.log(`http://127.0.0.1:${server.server.address().port}/`);
}

await (bundler === "webpack" ? webpack() : vite());
