// The dev client under `mbundle serve`.

import { connect } from "./connect.js";
import { serverEvents } from "./sse.js";
import { stem } from "./stem.js";

/** @param {string} output path of the output folder, "/" at both ends */
export const start = (output) =>
  void connect(serverEvents, async (name, version) => import(new URL(`entries/${await stem(name)}.js?build=${version}`, new URL(output, import.meta.url)).href));
