// Serves a build's files in dev, straight from mbundle's output folder: with ranges, right types and a 404 that is one.
// A file is found by its name alone, which has no slash: nothing outside of `assets/` can be reached.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";

export const PREFIX = "__mbundle";

const ASKED = new RegExp(`/${PREFIX}/(?:assets/([a-z0-9][a-z0-9._-]{0,127})|(model-manifest\\.json))$`);
const RANGE = /^bytes=(\d+)-(\d*)$/;
/** @type {Record<string, string>} */
const TYPES = { js: "text/javascript", mjs: "text/javascript", json: "application/json", wasm: "application/wasm" };

/**
 * @param {() => string | undefined} output absolute; undefined: nothing has been built yet
 * @returns {(request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse, next: () => void) => void}
 */
export function serveFiles(output) {
  return (request, response, next) => {
    const path = (request.url ?? "").replace(/[?#].*$/s, "");
    if (!path.includes(`/${PREFIX}/`)) return next();
    const [, name, pointer] = ASKED.exec(path) ?? [];
    const folder = output();
    const file = name ? join("assets", name) : pointer;
    if (!file || folder === undefined || !["GET", "HEAD"].includes(request.method ?? "")) return refuse(response, 404);
    send(request, response, join(folder, file), name !== undefined).catch(() => refuse(response, 404));
  };
}

/** @param {import("node:http").ServerResponse} response @param {number} status @param {Record<string, string>} [headers] */
function refuse(response, status, headers = {}) {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "Content-Type": "text/plain", "Cache-Control": "no-store", ...headers });
  response.end(status === 404 ? "mbundle has no such file in its output" : "");
}

/**
 * @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response
 * @param {string} path @param {boolean} immutable
 */
async function send(request, response, path, immutable) {
  const { size } = await stat(path);
  const [, first, last] = RANGE.exec(request.headers.range ?? "") ?? [];
  const start = Number(first ?? 0);
  const end = Math.min(last ? Number(last) : size - 1, size - 1);
  if (first !== undefined && (start >= size || end < start)) return refuse(response, 416, { "Content-Range": `bytes */${size}` });
  response.writeHead(first === undefined ? 200 : 206, {
    "Content-Type": TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream",
    "Content-Length": size === 0 ? 0 : end - start + 1,
    "Accept-Ranges": "bytes",
    "Cache-Control": immutable ? "public, max-age=31536000, immutable" : "no-cache",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    ...(first === undefined ? {} : { "Content-Range": `bytes ${start}-${end}/${size}` }),
  });
  if (request.method === "HEAD" || size === 0) return void response.end();
  const stream = createReadStream(path, { start, end });
  stream.on("error", () => response.destroy());
  response.on("close", () => stream.destroy());
  stream.pipe(response);
}
