import mbundle from "mbundle/vite";
import { defineConfig } from "vite";

import icons from "./vite/icons.js";
import shell from "./vite/shell.js";

// Threads in WebAssembly need both; public/_headers says the same to hosts that read it.
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  base: "./",
  plugins: [mbundle(), icons({ entry: "icons" }), shell()],
  build: { target: "es2022", assetsInlineLimit: 0 },
  server: { headers },
  preview: { headers },
});
