import assert from "node:assert/strict";
import { createHash, randomInt } from "node:crypto";
import { test } from "node:test";
import { readsOf } from "../../../templates/runtime/assemble.js";
import { storeBehind } from "../../../templates/runtime/behind.js";
import { joiner } from "../../../templates/runtime/frugal.js";
import { lazyView } from "../../../templates/runtime/view.js";

const MS = { now: 0 };
performance.now = () => MS.now;

/** A file of random bytes, cut and filled with initializers at random; some bytes belong to none and are zero. */
function made() {
  const bytes = new Uint8Array(randomInt(200, 4000));
  const tensors = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(randomInt(1, 700), bytes.length - at);
    bytes.set(Uint8Array.from({ length }, () => randomInt(1, 256)), at);
    tensors.push(at, length);
    at += length + (randomInt(4) ? 0 : randomInt(1, 64));
  }
  const cuts = [...new Set([0, ...Array.from({ length: randomInt(1, 12) }, () => randomInt(1, bytes.length))])].sort((a, b) => a - b);
  const chunks = cuts.map((offset, index) => {
    const part = bytes.slice(offset, cuts[index + 1] ?? bytes.length);
    return { file: `c${offset}`, offset, bytes: part.length, sha256: createHash("sha256").update(part).digest("hex") };
  });
  return { path: "weights-0", bytes: bytes.length, content: bytes, chunks, tensors };
}

/** As frugal.js lays a file out, with every chunk fetched and waiting. */
function fetched(file) {
  const spans = file.chunks.map(({ offset, bytes }) => ({ offset, bytes: file.content.slice(offset, offset + bytes), reads: readsOf(file.tensors, offset, offset + bytes, true) }));
  const source = { file, spans, copies: [] };
  MS.now = 0;
  const { behind, flush } = storeBehind([source]);
  const waits = behind(new AbortController().signal);
  const written = new Map();
  const ends = file.chunks.map((blob) =>
    waits.add(blob, async (bytes, onCopied) => (written.set(blob.sha256, bytes.slice()), onCopied()), () => {}));
  assert.ok(ends.every((end) => end instanceof Promise));
  return { source, flush, written, ends };
}

/** As onnxruntime reads: initializer after initializer, each to some place of its heap. @returns how many initializers were read */
function read({ file, spans, copies }, heap, count) {
  const [join] = joiner((copy) => copies.push(copy));
  const view = lazyView(file.bytes, spans, join);
  let at = randomInt(16);
  for (let index = 0; index < count; index++) {
    const [from, length] = file.tensors.slice(2 * index, 2 * index + 2);
    const bytes = view.subarray(from, from + length);
    heap.set(bytes, at);
    at += length + randomInt(16);
  }
}

const room = () => new Uint8Array(new SharedArrayBuffer(16_000));

test("what a session has read, and what it has not, is written as it was fetched", async () => {
  for (let round = 0; round < 200; round++) {
    const file = made();
    const { source, flush, written, ends } = fetched(file);
    read(source, room(), randomInt(file.tensors.length / 2 + 1));
    assert.deepEqual(await flush(), []);
    await Promise.all(ends);
    for (const { sha256, offset, bytes } of file.chunks) assert.deepEqual(written.get(sha256), file.content.slice(offset, offset + bytes));
  }
});

test("what the heap does not hold any more is told and not written", async () => {
  for (let round = 0; round < 100; round++) {
    const file = made();
    const { source, flush, written, ends } = fetched(file);
    read(source, room(), file.tensors.length / 2);
    const { heap, at, bytes, from } = source.copies[randomInt(source.copies.length)];
    const wrong = randomInt(bytes);
    heap[at + wrong] ^= 1;
    const hurt = file.chunks.filter(({ offset, bytes: size }) => offset <= from + wrong && from + wrong < offset + size);
    assert.deepEqual(await flush(), hurt);
    await Promise.all(ends);
    assert.equal(written.size, new Set(file.chunks.map(({ sha256 }) => sha256)).size - 1);
    assert.ok(!written.has(hurt[0].sha256));
  }
});

test("a heap that has grown into another buffer holds nothing", async () => {
  const file = made();
  const { source, flush, written, ends } = fetched(file);
  const heap = new Uint8Array(16_000);
  read(source, heap, file.tensors.length / 2);
  structuredClone(heap.buffer, { transfer: [heap.buffer] });
  const lost = await flush();
  assert.ok(lost.length > 0);
  assert.ok([...written.values()].every((bytes) => bytes.every((byte) => byte === 0)));
  await Promise.all(ends);
});

test("a slow network's chunks are stored at once, and so is all that comes after the time has come", async () => {
  const source = { file: made(), spans: [], copies: [] };
  MS.now = 0;
  const { behind, flush } = storeBehind([source]);
  const controller = new AbortController();
  const { add } = behind(controller.signal);
  const blob = { file: "a", bytes: 8 << 20, sha256: source.file.chunks[0].sha256 };
  const graph = { ...blob, sha256: "0".repeat(64) };
  MS.now = 1000;
  assert.equal(add(blob, () => assert.fail(), () => assert.fail()), undefined);
  MS.now = 1001;
  for (let more = 0; more < 7; more++) add(blob, async () => {}, () => {});
  let gone = false;
  const end = add(blob, () => assert.fail(), () => (gone = true));
  assert.ok(gone); // 72 MiB in a second
  assert.equal(add(graph, () => assert.fail(), () => assert.fail()), undefined); // it is not in the heap
  controller.abort();
  await end;
  assert.equal(add(blob, () => assert.fail(), () => assert.fail()), undefined);
  assert.ok((await flush()).length > 0); // nothing was there to be written
});
