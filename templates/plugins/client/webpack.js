// Stands in for the runtime's `entry` under webpack-dev-server: webpack's hot module replacement brings the new module of
// an entry, whose models are then swapped in place; errors come as server-sent events.

import { entry as plain } from "virtual:mbundle-runtime";

import { connect } from "../../dev/connect.js";
import { hot } from "../../dev/hot.js";

export const entry = hot(plain);

/** The newest module of each entry. @type {Map<string, object>} */
const arrived = new Map();
/** @type {import("../../dev/events.d.ts").Listener | undefined} */
let tell;

/** Each module of an entry says so when it runs, at first and when it was replaced. @param {string} name @param {string} version @param {object} it */
export function arrive(name, version, it) {
  arrived.set(name, it);
  tell?.({ type: "model-update", build: 0, entries: [name], manifest: { sha256: version } });
}

/** @param {string} url */
export function listen(url) {
  connect(
    (listener) => {
      tell = listener;
      const source = new EventSource(url);
      source.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        listener(event.type === "model-update" ? { ...event, entries: [] } : event);
      };
      return () => source.close();
    },
    async (name) => ({ default: /** @type {object} */ (arrived.get(name)) }),
  );
}
