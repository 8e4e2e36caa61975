// A server that changes one byte of every answer: nothing of it is ever taken. The code that loads use, over HTTP.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { createHash } from "node:crypto";
import { acquire } from "../../../templates/runtime/acquire.js";
import { MbundleError } from "../../../templates/runtime/errors.js";
import { fetchManifest } from "../../../templates/runtime/pinned.js";
import { random } from "./mutate.mjs";

const CORRUPTIONS = Number(process.env.CORRUPTIONS ?? 400);
const next = random(Number(process.env.SEED ?? 1));

const refOf = (file, content) => ({ file, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") });
const chunks = [64, 1000, 4096, 70_001].map((size) => Uint8Array.from({ length: size }, () => next(256)));
const chunkRefs = chunks.map((content, index) => refOf(`c${index}.bin`, content));
const variant = { name: "fp32", graph: refOf("graph.onnx", chunks[1]), data: [], inputs: [], outputs: [] };
const manifest = new TextEncoder().encode(JSON.stringify({ version: 1, entries: { it: { variants: [variant] } } }));
const manifestRef = refOf("manifest-0.json", manifest);

/** One byte, at any place, becomes any other. */
function corrupted(content) {
  const copy = Uint8Array.from(content);
  copy[next(copy.length)] ^= 1 + next(255);
  return copy;
}

const files = new Map([...chunkRefs.map((ref, index) => [ref.file, chunks[index]]), [manifestRef.file, manifest]]);
let corrupt = true;
const server = createServer((request, response) => {
  const content = files.get(request.url.split("/").at(-1));
  response.end(corrupt ? corrupted(content) : content);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const base = `http://127.0.0.1:${server.address().port}/`;

const signal = new AbortController().signal;
const bring = (blob, target = new Uint8Array(blob.bytes)) =>
  acquire({ blob, url: base + blob.file, target, hold: false, priority: 0, signal, onBytes() {} }).then(() => target);
const spec = { name: "it", manifest: manifestRef, files: [[manifestRef.file, base + manifestRef.file]], base: null };

test(`${CORRUPTIONS} corrupted answers: none is taken`, async () => {
  let refused = 0;
  const lane = async () => {
    while (refused < CORRUPTIONS) {
      refused++;
      const turn = next(chunks.length + 1);
      const taken = turn < chunks.length ? bring(chunkRefs[turn]) : fetchManifest(spec, signal);
      await assert.rejects(taken, (error) => error instanceof MbundleError && error.code === "integrity");
    }
  };
  await Promise.all(Array.from({ length: 6 }, lane));
});

test("unchanged answers are taken", async () => {
  corrupt = false;
  for (const [index, ref] of chunkRefs.entries()) assert.deepEqual(await bring(ref), chunks[index]);
  assert.deepEqual([...(await fetchManifest(spec, signal)).entries.keys()], ["it"]);
  server.close();
  server.closeAllConnections();
});
