// A visit in a browser that nobody inspects: it asks for what it shall do, and says by requests how far it is.

import { prepare, visit } from "./visit.js";

const POLL_MS = 50;
const folder = new URL(".", import.meta.url);
const given = /** @type {string} */ (new URLSearchParams(location.search).get("wish"));

/** @param {string} name */
const say = (name) => fetch(new URL(name, folder), { cache: "no-store" });

const wish = await (await fetch(given)).json();
await prepare(wish);
await say("ready");
while (!(await fetch(`${given}.go`, { cache: "no-store" })).ok) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
const told = await visit(wish);
await say("error" in told ? "failed" : "done");
