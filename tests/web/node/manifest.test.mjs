import assert from "node:assert/strict";
import { test } from "node:test";
import { MbundleError } from "../../../templates/runtime/errors.js";
import { parseManifest } from "../../../templates/runtime/manifest.js";
import { locate } from "../../../templates/runtime/place.js";
import { random, sample, mutate } from "./mutate.mjs";

const COUNT = Number(process.env.MUTATIONS ?? 20000);
const encode = (value) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

test("a right manifest is read", () => {
  const read = parseManifest(encode(sample()));
  assert.deepEqual([...read.entries.keys()], ["icons", "toString"]);
  assert.equal(read.entries.get("icons").variants[0].data[0].chunks.length, 2);
  assert.ok(Object.isFrozen(read.entries.get("icons").variants[0]));
});

const edits = {
  "unknown version": (m) => (m.version = 2),
  "no entries": (m) => delete m.entries,
  "entries as a list": (m) => (m.entries = []),
  "no variants": (m) => (m.entries.icons.variants = []),
  "negative bytes": (m) => (chunk(m).bytes = -1),
  "bytes past 2^53": (m) => (chunk(m).bytes = 2 ** 53),
  "bytes as text": (m) => (chunk(m).bytes = "64"),
  "a gap": (m) => (m.entries.icons.variants[0].data[0].chunks[1].offset = 65),
  "an overlap": (m) => (m.entries.icons.variants[0].data[0].chunks[1].offset = 63),
  "a sum that is wrong": (m) => (m.entries.icons.variants[0].data[0].bytes = 129),
  "tensors outside": (m) => (m.entries.icons.variants[0].data[0].tensors = [120, 64]),
  "tensors in disorder": (m) => (m.entries.icons.variants[0].data[0].tensors = [64, 8, 0, 8]),
  "half a tensor": (m) => (m.entries.icons.variants[0].data[0].tensors = [0]),
  "one name, two contents": (m) => (m.entries.icons.variants[0].data[0].chunks[1].file = chunk(m).file),
  "a short sha256": (m) => (chunk(m).sha256 = "ab"),
  "a provider that is none": (m) => (m.entries.icons.variants[0].providers = ["cpu"]),
  "providers as text": (m) => (m.entries.icons.variants[0].providers = "wasm"),
  "too many providers": (m) => (m.entries.icons.variants[0].providers = ["wasm", "wasm", "wasm"]),
  "equal inputs": (m) => m.entries.icons.variants[0].inputs.push(m.entries.icons.variants[0].inputs[0]),
  ...Object.fromEntries(
    ["//evil.example/x", "\\\\evil.example\\x", "https:evil", "data:,x", "java\tscript:x", "%2e%2e/x", "../x", "/x", ".x", "", "a/b", "A", "a\u0000", "a".repeat(200)].map(
      (file) => [`file ${JSON.stringify(file.slice(0, 20))}`, (m) => (chunk(m).file = file)],
    ),
  ),
};
const chunk = (m) => m.entries.icons.variants[0].data[0].chunks[0];

for (const [name, edit] of Object.entries(edits)) {
  test(`refused: ${name}`, () => {
    const manifest = sample();
    edit(manifest);
    assert.throws(() => parseManifest(encode(manifest)), (error) => error instanceof MbundleError && error.code === "manifest");
  });
}

test("what is no JSON is refused", () => {
  for (const text of ["", "{", "[]", "null", "1", "<!doctype html>", "\ufeff{}"]) {
    assert.throws(() => parseManifest(encode(text)), (error) => error instanceof MbundleError && error.code === "manifest");
  }
  assert.throws(() => parseManifest(Uint8Array.of(0xff, 0xfe)), MbundleError);
});

test("an entry called __proto__ is an entry and nothing else", () => {
  const text = JSON.stringify(sample()).replace('"toString"', '"__proto__"');
  assert.ok(parseManifest(encode(text)).entries.get("__proto__"));
  assert.equal({}.variants, undefined);
});

test(`${COUNT} mutated manifests: our errors only, no foreign URL, no changed prototype`, () => {
  const next = random(Number(process.env.SEED ?? 1));
  const base = "https://app.example/models/";
  const before = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));
  let accepted = 0;
  for (let round = 0; round < COUNT; round++) {
    const text = mutate(JSON.stringify(sample()), next);
    try {
      const { entries } = parseManifest(encode(text));
      accepted++;
      for (const [name, { variants }] of entries) {
        for (const { graph, data } of variants) {
          for (const { file } of [graph, ...data.flatMap(({ chunks }) => chunks)]) {
            assert.ok(locate({ name, files: [], base, manifest: graph }, file).startsWith(`${base}assets/`), text);
          }
        }
      }
    } catch (error) {
      assert.ok(error instanceof MbundleError && error.code === "manifest", `${error?.stack}\n${text}`);
    }
  }
  assert.equal(JSON.stringify(Object.getOwnPropertyNames(Object.prototype)), before);
  assert.equal({}.polluted, undefined);
  assert.ok(accepted > COUNT / 1000 && accepted < COUNT * 0.9, `${accepted} accepted`);
});
