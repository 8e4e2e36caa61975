import assert from "node:assert/strict";
import { test } from "node:test";
import { advise } from "../../../templates/runtime/advice.js";
import { MbundleError } from "../../../templates/runtime/errors.js";
import { fitFeeds } from "../../../templates/runtime/feeds.js";

const port = (name, dtype, shape) => ({ name, dtype, shape });
const one = (dtype, shape, value) => fitFeeds([port("x", dtype, shape)], { x: value }).get("x");
const refused = (pattern, call) =>
  assert.throws(call, (error) => {
    advise(error); // as on its way to the app
    return error instanceof MbundleError && error.code === "feeds" && pattern.test(error.what);
  });

test("a typed array of the right type is passed on as it is", () => {
  const data = new Float32Array(6);
  assert.equal(one("float32", [2, 3], data).data, data);
});

test("numbers become the input's type", () => {
  assert.deepEqual(one("int64", [3], [1, 2n, -3]).data, BigInt64Array.of(1n, 2n, -3n));
  assert.deepEqual(one("int64", [2], new Int32Array([1, 2])).data, BigInt64Array.of(1n, 2n));
  assert.deepEqual(one("bool", [2], [true, false]).data, Uint8Array.of(1, 0));
  assert.deepEqual(one("int32", [2], new Uint8Array([1, 255])).data, Int32Array.of(1, 255));
  assert.deepEqual(one("string", [1], ["a"]).data, ["a"]);
  assert.deepEqual(one("float32", [1], new Float64Array([0.1])).data, Float32Array.of(0.1));
  assert.deepEqual(one("float32", [2], [Number.NaN, Infinity]).data, Float32Array.of(Number.NaN, Infinity));
  assert.deepEqual(one("int64", [], 16000), { type: "int64", data: BigInt64Array.of(16000n), dims: [] });
});

test("dims are found where there is one answer", () => {
  assert.deepEqual(one("float32", ["N", 2], new Float32Array(6)).dims, [3, 2]);
  assert.deepEqual(one("float32", [null, 2], [[1, 2], [3, 4]]).dims, [2, 2]);
  assert.deepEqual(one("float32", ["batch", "seq"], [1, 2, 3]).dims, [1, 3]);
  assert.deepEqual(one("float32", null, { data: [1, 2], dims: [2, 1] }).dims, [2, 1]);
  assert.deepEqual(one("float32", null, [1, 2]).dims, [2]);
  assert.deepEqual(one("float32", ["N", 2], []).dims, [0, 2]);
});

test("a dimension that another input gives is used", () => {
  const ports = [port("ids", "int64", ["b", "s"]), port("mask", "int64", ["b", "s"])];
  const fitted = fitFeeds(ports, { ids: [[1, 2], [3, 4]], mask: new BigInt64Array(4) });
  assert.deepEqual(fitted.get("mask").dims, [2, 2]);
  refused(/dimension s/, () => fitFeeds(ports, { ids: [[1, 2]], mask: [[1, 2, 3]] }));
});

test("what does not fit is named", () => {
  refused(/missing: x/, () => fitFeeds([port("x", "float32", [1])], {}));
  refused(/not an input: y/, () => fitFeeds([port("x", "float32", [1])], { x: [1], y: [1] }));
  refused(/missing: toString/, () => fitFeeds([port("toString", "float32", [1])], {}));
  refused(/object of feeds/, () => fitFeeds([], null));
  refused(/\[2, 3\].*5 values/, () => one("float32", [2, 3], new Float32Array(5)));
  refused(/as \[3,2\]/, () => one("float32", [2, 3], { data: new Float32Array(6), dims: [3, 2] }));
  refused(/give {data, dims}/, () => one("float32", ["a", "b", "c"], [1, 2, 3, 4]));
  refused(/ragged/, () => one("float32", [2, 2], [[1, 2], [3]]));
  refused(/ragged/, () => one("float32", [2, 2], [[1, 2], 3, 4]));
  refused(/1\.5/, () => one("int32", [1], [1.5]));
  refused(/1\.5/, () => one("int64", [1], [1.5]));
  refused(/300/, () => one("uint8", [1], [300]));
  refused(/-1/, () => one("uint32", [1], [-1]));
  refused(/text/, () => one("float32", [1], ["text"]));
  refused(/undefined/, () => one("float32", [1], [undefined]));
  refused(/tensor of int32/, () => one("float32", [1], { data: new Int32Array(1), dims: [1], type: "int32" }));
  refused(/no array for/, () => one("bfloat16", [1], [1]));
  refused(/null/, () => one("float32", [1], null));
});
