import mbundle from "mbundle/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [mbundle()],
  build: { target: "es2022" },
});
