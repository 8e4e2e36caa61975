// The loader for `entries/*.js`: see lib/rewrite.js.

import { rewrite, isElsewhere } from "./lib/rewrite.js";

const WASM = { wasm: "", jspi: ".jspi", webgpu: ".asyncify" };
const HERE = `globalThis.document?.baseURI ?? globalThis.location?.href ?? "http://localhost/"`;

/** @param {string} folder below the public path */
const urlOf = (folder) => `new URL(__webpack_public_path__ + ${JSON.stringify(folder)}, ${HERE}).href`;

/** @this {import("webpack").LoaderContext<{dir: string, prefix: string, client: string}>} @param {string} text */
export default function load(text) {
  const { dir, prefix, client } = this.getOptions();
  if (!client) {
    const urls = Object.entries(WASM).map(([build, kind]) => `${build}: { module: null, wasm: new URL("onnxruntime-web/ort-wasm-simd-threaded${kind}.wasm", import.meta.url).href }`);
    return rewrite(text, { place: isElsewhere(text) ? null : urlOf(`${dir}/`), ort: `{ ${urls.join(", ")} }` });
  }
  const events = urlOf(`${prefix}/events`);
  const pinned = /name: ("(?:[^"\\]|\\.)*"), manifest: \{.*?"sha256":("[0-9a-f]{64}")\}/.exec(text) ?? [];
  const accept = `import { arrive, listen } from ${JSON.stringify(client)};\nlisten(${events});\narrive(${pinned[1]}, ${pinned[2]}, it);\nif (import.meta.webpackHot) import.meta.webpackHot.accept();`;
  return rewrite(text, { place: urlOf(`${prefix}/`), entry: client, accept });
}
