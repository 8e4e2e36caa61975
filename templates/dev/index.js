// Stands in for the runtime while a dev server serves the pages: the same exports, with models that are swapped in place
// when a build is done. The server fills in where the runtime and the output folder are. Never part of an output folder.

import { entry as plain } from "__RUNTIME__/index.js";

import { hot } from "./hot.js";
import { start } from "./server.js";

export * from "__RUNTIME__/index.js";
export const entry = hot(plain);

start("__OUTPUT__");
