// Seeded mutations of a manifest's text: of values, keys, structure and bytes.

/** @param {number} seed */
export function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 1 | state) + 0x6d2b79f5) >>> 0;
    let mixed = state ^ (state + Math.imul(state ^ (state >>> 7), 61 | state));
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const sha = (digit) => digit.repeat(64);

export const sample = () => ({
  version: 1,
  generator: "mbundle 0.1.0",
  entries: {
    icons: {
      load: "lazy",
      assets: [],
      variants: [
        {
          name: "q8",
          graph: { file: "icons.q8-0123456789abcdef.onnx", bytes: 321, sha256: sha("0") },
          data: [
            {
              path: "weights-0",
              bytes: 128,
              chunks: [
                { file: "aaaaaaaaaaaaaaaa.bin", offset: 0, bytes: 64, sha256: sha("a") },
                { file: "bbbbbbbbbbbbbbbb.bin", offset: 64, bytes: 64, sha256: sha("b") },
              ],
              tensors: [0, 60, 64, 32, 96, 32],
            },
          ],
          inputs: [{ name: "input_ids", dtype: "int64", shape: ["batch", null, 3] }],
          outputs: [{ name: "x:0", dtype: "float32", shape: null }],
          requires: { ops: ["MatMul"], dtypes: ["float32"], shaderF16: false, irVersion: 8, opset: 17, memory: 128 },
          measured: { bytes: 449 },
          providers: ["wasm"],
        },
      ],
    },
    toString: {
      load: "idle",
      variants: [{ name: "v", graph: { file: "g.onnx", bytes: 1, sha256: sha("1") }, data: [], inputs: [], outputs: [] }],
    },
  },
});

const VALUES = [
  "null", "true", "0", "-1", "1e400", "9007199254740993", "1.5", '""', "[]", "{}", '"__proto__"', '"constructor"', "[[]]",
  '"//evil.example/x"', '"\\\\\\\\evil.example\\\\x"', '"https:evil"', '"data:,x"', '"java\\tscript:x"', '"%2e%2e/x"', '"../x"',
  '{"__proto__":{"polluted":1}}', '"\\u0000"', '"\\ud800"', '"ok.bin"', "64", "128", `"${sha("c")}"`, '{"constructor":{"prototype":{"polluted":1}}}',
];
const KEYS = ["__proto__", "constructor", "prototype", "toString", "file", "bytes", "offset", "chunks", "variants", "polluted"];
const PLACES = /"(?:[^"\\]|\\.)*"|-?\d+|true|false|null/g;

/** @param {string} text @param {(below: number) => number} next */
export function mutate(text, next) {
  for (let left = 1 + next(3); left > 0; left--) text = MUTATIONS[next(MUTATIONS.length)](text, next);
  return text;
}

const MUTATIONS = [
  // a token becomes another value
  (text, next) => replaceAt(text, next, () => VALUES[next(VALUES.length)]),
  // a token becomes one that stands elsewhere
  (text, next) => replaceAt(text, next, () => text.match(PLACES)?.[next(text.match(PLACES).length)] ?? "0"),
  // a key becomes another key, or comes twice
  (text, next) => {
    const keys = [...text.matchAll(/"([^"]*)":/g)];
    const key = keys[next(keys.length)];
    if (!key) return text;
    const other = `"${KEYS[next(KEYS.length)]}":`;
    const head = text.slice(0, key.index);
    return next(2) ? head + other + text.slice(key.index + key[0].length) : `${head}${other}${VALUES[next(VALUES.length)]},${text.slice(key.index)}`;
  },
  // a byte is lost, changed or doubled
  (text, next) => {
    const at = next(text.length);
    return text.slice(0, at) + [String.fromCharCode(32 + next(95)), "", text[at] + text[at]][next(3)] + text.slice(at + 1);
  },
  // the text breaks off, or a part of it is repeated
  (text, next) => {
    const from = next(text.length);
    return next(4) ? text.slice(0, from) + text.slice(next(from + 1)) : text.slice(0, from);
  },
];

function replaceAt(text, next, value) {
  const places = [...text.matchAll(PLACES)];
  const place = places[next(places.length)];
  return place ? text.slice(0, place.index) + value() + text.slice(place.index + place[0].length) : text;
}
