// Stands in for the runtime while a dev server serves the pages: the same exports, with models that are swapped in place
// when a build is done. The server fills in where the runtime and the output folder are. Never part of an output folder.

import { entry as plain } from "__RUNTIME__/index.js";

import { connect } from "./connect.js";
import { hot } from "./hot.js";
import { serverEvents } from "./sse.js";
import { stem } from "./stem.js";

export * from "__RUNTIME__/index.js";
export const entry = hot(plain);

connect(serverEvents, async (name, version) => import(new URL(`entries/${await stem(name)}.js?build=${version}`, new URL("__OUTPUT__", import.meta.url)).href));
