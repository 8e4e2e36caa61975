// Events to pages as server-sent events, for dev servers whose own socket cannot carry them.

import { PREFIX } from "./serve.js";

const PATH = `/${PREFIX}/events`;

export class LiveEvents {
  /** @type {Set<import("node:http").ServerResponse>} */
  #pages = new Set();

  /** @param {() => object} hello what a page is told first */
  constructor(hello) {
    this.hello = hello;
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response @param {() => void} next */
  middleware = (request, response, next) => {
    if (request.method !== "GET" || !(request.url ?? "").replace(/\?.*$/s, "").endsWith(PATH)) return next();
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform" });
    this.#pages.add(response);
    response.on("close", () => this.#pages.delete(response));
    response.write(line(this.hello()));
  };

  /** @param {object} event */
  send(event) {
    for (const page of this.#pages) page.write(line(event));
  }

  close() {
    for (const page of this.#pages) page.end();
  }
}

/** @param {object} event */
const line = (event) => `data: ${JSON.stringify(event)}\n\n`;
