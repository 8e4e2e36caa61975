import assert from "node:assert/strict";
import { test } from "node:test";
import { cutsOf, layOut } from "../../../templates/runtime/assemble.js";
import { lazyView } from "../../../templates/runtime/view.js";
import { joiner } from "../../../templates/runtime/frugal.js";

const chunk = (offset, bytes) => ({ file: `c${offset}`, offset, bytes, sha256: `${offset}` });
const file = (chunks, tensors) => ({ path: "weights-0", bytes: chunks.reduce((sum, { bytes }) => sum + bytes, 0), chunks, tensors });
const variant = (...data) => ({ name: "v", graph: { file: "g", bytes: 3, sha256: "g" }, data, inputs: [], outputs: [], requires: {} });

/** Fills every chunk as a fetch would, with the low byte of each byte's place in the file. */
function filled(data, lazy) {
  const layout = layOut(variant(data), lazy);
  for (const { blob, target } of layout.places.slice(1)) target.forEach((_, index) => (target[index] = blob.offset + index));
  return layout.mount()[0].data;
}

test("cuts are where no initializer runs across", () => {
  const chunks = [chunk(0, 64), chunk(64, 64), chunk(128, 64), chunk(192, 64)];
  assert.deepEqual(cutsOf(file(chunks, [0, 60, 64, 128, 192, 10])), [0, 64, 192]);
  assert.deepEqual(cutsOf(file(chunks, [0, 256])), [0]);
  assert.deepEqual(cutsOf(file(chunks, [])), [0, 64, 128, 192]);
});

test("the view hands out each initializer's bytes and frees a span after the last", () => {
  const view = filled(file([chunk(0, 64), chunk(64, 64)], [0, 32, 32, 32, 64, 64]), true);
  assert.ok(view instanceof Uint8Array);
  assert.equal(view.byteLength, 128);
  assert.deepEqual([...view.subarray(64, 68)], [64, 65, 66, 67]);
  assert.deepEqual([...view.subarray(32, 34)], [32, 33]);
  const last = view.subarray(0, 2);
  assert.deepEqual([...last], [0, 1]); // valid until the next read
  assert.throws(() => view.subarray(64, 68), RangeError);
  assert.equal(view.lost, true);
  assert.equal(last.length, typeof ArrayBuffer.prototype.transfer === "function" ? 0 : 2);
});

test("an initializer that two names share is kept for both", () => {
  const view = filled(file([chunk(0, 64)], [0, 64, 0, 64]), true);
  view.subarray(0, 64);
  assert.deepEqual([...view.subarray(0, 2)], [0, 1]);
  assert.equal(view.lost, false);
});

test("an initializer across chunks is one run of bytes", () => {
  const view = filled(file([chunk(0, 64), chunk(64, 64)], [0, 128]), true);
  assert.deepEqual([...view.subarray(62, 66)], [62, 63, 64, 65]);
});

test("without a list of initializers, or on request, the file is one buffer", () => {
  for (const [tensors, lazy] of [[[], true], [[0, 64, 64, 64], false]]) {
    const whole = filled(file([chunk(0, 64), chunk(64, 64)], tensors), lazy);
    assert.equal(whole.constructor, Uint8Array);
    assert.deepEqual([...whole], Array.from({ length: 128 }, (_, index) => index));
  }
});

test("a view says nothing about bytes past its end", () => {
  const view = lazyView(64, [{ offset: 0, bytes: new Uint8Array(64), reads: new Map([[0, 1]]) }]);
  assert.throws(() => view.subarray(0, 65), RangeError);
});

test("pieces of one initializer are copied and freed one by one, and only by the heap's own set", () => {
  const copies = [];
  const [join, check] = joiner((copy) => copies.push(copy));
  const freed = [];
  const pieces = [0, 4].map((from) => ({ bytes: Uint8Array.of(from, from + 1, from + 2, from + 3), free: () => freed.push(from) }));
  const heap = new Uint8Array(10);
  const whole = join(pieces, 24);
  heap.set(whole, 1);
  assert.deepEqual(copies, [{ from: 24, heap, at: 1, bytes: 8 }]);
  assert.deepEqual([...heap], [0, 0, 1, 2, 3, 4, 5, 6, 7, 0]);
  assert.deepEqual(freed, [0, 4]);
  check();
  for (const misuse of [(token) => new Uint8Array(token), (token) => heap.set([...token]), (token) => token.length, () => check(), () => join(pieces, 0)]) {
    const token = join(pieces, 0);
    heap.set([9], 9); // whoever else uses it meanwhile is served
    assert.throws(() => misuse(token));
    assert.equal(Object.hasOwn(Uint8Array.prototype, "set"), false);
    check();
  }
  assert.equal(heap[9], 9);
});
