// What there is to say about each error. Imported when there is one.

import { sentence } from "./misfit.js";

const FIXES = Object.freeze({
  "unknown-entry": "Use one of the names in `entries`.",
  manifest: "Build again and deploy the whole output folder.",
  http: "See that the whole output folder is deployed and that the server lets this page read it.",
  network: "Try again; see the network panel of the developer tools.",
  offline: "Try again when the device is online; models that were loaded before work offline.",
  timeout: "Try again on a better network.",
  html: "The server answers with a page where a file is missing: deploy the whole output folder and leave it out of the single-page fallback.",
  size: "Serve the files as they are; if they are compressed, exactly once and with the right Content-Encoding header.",
  integrity: "The file was changed after the build: deploy the whole output folder again and clear caches on the way (CDN, proxy).",
  "stale-build": "Reload the page: the site has a newer version than this tab.",
  memory: "Offer a smaller variant, or dispose of models that are not in use.",
  unsupported: "Add a variant that this browser can run (an fp32 or int8 one for wasm).",
  ort: "Install onnxruntime-web, give its place in an import map, or pass `ort`.",
  session: "Build with the version of mbundle that matches your onnxruntime-web.",
  feeds: "Compare the feeds with `model.inputs`.",
  run: "Compare the feeds with `model.inputs`; if they are right, load another variant.",
  disposed: "Load the model again.",
});

/** @param {import("./errors.js").MbundleError} error */
export function advise(error) {
  if (error.parts) error.what = sentence(error);
  error.parts = undefined;
  error.fix ||= FIXES[error.code];
}
