// Stands in for the runtime's `entry` under Vite's dev server: models are swapped in place, events come over Vite's socket.

import { entry as plain } from "virtual:mbundle-runtime";

import { connect } from "../../dev/connect.js";
import { hot } from "../../dev/hot.js";

export const entry = hot(plain);

const socket = import.meta.hot; // Vite looks for these very words
/** URLs of the entries' modules. @type {Record<string, string>} */
let modules = {};

if (socket) {
  connect(
    (listener) => {
      socket.on("mbundle:event", (/** @type {any} */ event) => {
        modules = event.modules ?? modules;
        listener(event);
      });
      const hello = () => socket.send("mbundle:hello", {});
      socket.on("vite:ws:connect", hello); // again after the server was away
      hello();
      return () => {};
    },
    (name, version) => import(/* @vite-ignore */ `${modules[name]}?build=${version}`),
  );
}
