import HtmlPlugin from "html-webpack-plugin";
import MbundlePlugin from "mbundle/webpack";

export default {
  mode: process.env.WEBPACK_SERVE ? "development" : "production",
  entry: "./src/main.js",
  output: { clean: true, filename: "[name].[contenthash].js" },
  experiments: { css: true },
  performance: { hints: false },
  plugins: [new HtmlPlugin({ template: "./index.html", scriptLoading: "module" }), new MbundlePlugin()],
  devServer: {},
};
