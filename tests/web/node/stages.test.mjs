import assert from "node:assert/strict";
import { test } from "node:test";
import { MbundleError } from "../../../templates/runtime/errors.js";
import { parseManifest } from "../../../templates/runtime/manifest.js";
import { partsFor } from "../../../templates/runtime/stages.js";
import { random, sample, mutate } from "./mutate.mjs";

const COUNT = Number(process.env.MUTATIONS ?? 20000);
const port = (name) => ({ name, dtype: "float32", shape: null });
const file = (digit, bytes) => ({ file: `${digit.repeat(16)}.onnx`, bytes, sha256: digit.repeat(64) });

/** input_ids -> a -> (x:0 | y). */
function split() {
  const manifest = sample();
  const [variant] = manifest.entries.icons.variants;
  variant.outputs.push(port("y"));
  variant.stages = [
    { graph: file("1", 10), data: ["weights-0"], inputs: [port("input_ids")], outputs: [port("a")] },
    { graph: file("2", 20), data: [], inputs: [port("a")], outputs: [port("x:0")] },
    { graph: file("3", 30), data: ["weights-0"], inputs: [port("a"), port("input_ids")], outputs: [port("y")] },
  ];
  return manifest;
}

const read = (manifest) => parseManifest(new TextEncoder().encode(typeof manifest === "string" ? manifest : JSON.stringify(manifest)));
const names = (options, manifest = split()) => partsFor(read(manifest).entries.get("icons").variants[0], options).map(({ graph }) => graph.file[0]);

test("what wanted outputs need, in order", () => {
  assert.deepEqual(names({}), ["1"]);
  assert.deepEqual(names({ outputs: ["x:0"] }), ["1", "2"]);
  assert.deepEqual(names({ outputs: ["y"] }), ["1", "3"]);
  assert.deepEqual(names({ outputs: ["y", "x:0"] }), ["1", "2", "3"]);
  assert.deepEqual(names({ outputs: [] }), []);
  assert.throws(() => names({ outputs: ["a"] }), (error) => error.code === "feeds" && /x:0, y/.test(error.what));
});

test("where all outputs need all stages, all come at once", () => {
  const manifest = split();
  manifest.entries.icons.variants[0].outputs.shift();
  manifest.entries.icons.variants[0].stages[2].inputs.push(port("x:0"));
  assert.deepEqual(names({}, manifest), ["1", "2", "3"]);
});

const stage = (m, index = 1) => m.entries.icons.variants[0].stages[index];
const edits = {
  "stages as an object": (m) => (m.entries.icons.variants[0].stages = {}),
  "too many stages": (m) => (m.entries.icons.variants[0].stages = Array(65).fill(stage(m))),
  "no stage": (m) => (m.entries.icons.variants[0].stages = []),
  "no graph": (m) => delete stage(m).graph,
  "a graph elsewhere": (m) => (stage(m).graph.file = "../x.onnx"),
  "one graph, two contents": (m) => (stage(m).graph.file = stage(m, 0).graph.file),
  "data that is not there": (m) => (stage(m).data = ["weights-1"]),
  "data that is a prototype's": (m) => (stage(m).data = ["__proto__"]),
  "an input that nobody makes": (m) => stage(m).inputs.push(port("b")),
  "an input that comes later": (m) => stage(m).inputs.push(port("y")),
  "an input of its own": (m) => stage(m).inputs.push(port("x:0")),
  "an output made twice": (m) => stage(m).outputs.push(port("a")),
  "an output that hides an input": (m) => stage(m).outputs.push(port("input_ids")),
  "an output that nobody makes": (m) => (stage(m).outputs = []),
};
for (const [name, edit] of Object.entries(edits)) {
  test(`refused: ${name}`, () => {
    const manifest = split();
    edit(manifest);
    assert.throws(() => names({}, manifest), (error) => error instanceof MbundleError && error.code === "manifest");
  });
}

test(`${COUNT} mutated manifests: our errors only, and every file is one of the manifest's`, () => {
  const next = random(Number(process.env.SEED ?? 2));
  let accepted = 0;
  for (let round = 0; round < COUNT; round++) {
    const text = mutate(JSON.stringify(split()), next);
    try {
      for (const { variants } of read(text).entries.values()) {
        for (const variant of variants) {
          if (!variant.stages) continue;
          const parts = partsFor(variant, { outputs: variant.outputs.map(({ name }) => name) });
          for (const { data } of parts) for (const one of data) assert.ok(variant.data.includes(one), text);
          accepted++;
        }
      }
    } catch (error) {
      assert.ok(error instanceof MbundleError && error.code === "manifest", `${error?.stack}\n${text}`);
    }
  }
  assert.ok(accepted > COUNT / 1000 && accepted < COUNT * 0.9, `${accepted} accepted`);
});
