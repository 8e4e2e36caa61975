// Reads a manifest, trusting nothing in it. What comes out holds only known fields that passed their check, frozen;
// names are keys of Maps, so that no name can reach a prototype.

import { MbundleError } from "./errors.js";

/** @template T @typedef {(value: unknown, at: string) => T} Check */

/** Names of files below `assets/`: no slash, no dot first, so that joined to a folder they stay in it. */
export const FILE = /^[a-z0-9][a-z0-9._-]{0,127}$/;
const MOST_BYTES = 2 ** 40;

/** Says where and not why: what the loader's own hash vouches for has been built wrong. @type {(at: string) => never} */
const refuse = (at) => {
  throw new MbundleError("manifest", `The manifest is not valid: ${at.slice(0, 200)}.`);
};

/** @type {(low: number, high: number) => Check<number>} */
const integer = (low, high) => (value, at) =>
  Number.isSafeInteger(value) && Number(value) >= low && Number(value) <= high
    ? Number(value)
    : refuse(at);

/** @type {(pattern: RegExp) => Check<string>} */
const text = (pattern) => (value, at) =>
  typeof value === "string" && pattern.test(value) ? value : refuse(at);

/** @type {<const T>(...options: T[]) => Check<T>} */
const oneOf = (...options) => (value, at) =>
  options.find((option) => option === value) ?? refuse(at);

/** @type {<T>(item: Check<T>, most: number) => Check<readonly T[]>} */
const list = (item, most) => (value, at) =>
  Array.isArray(value) && value.length <= most
    ? Object.freeze(value.map((each, index) => item(each, `${at}[${index}]`)))
    : refuse(at);

/** @type {<T>(item: Check<T>, otherwise: T) => Check<T>} */
const optional = (item, otherwise) => (value, at) => (value === undefined ? otherwise : item(value, at));

/** @type {(value: unknown, at: string) => Record<string, unknown>} */
const object = (value, at) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? /** @type {Record<string, unknown>} */ (value)
    : refuse(at);

/** @type {<T extends Record<string, Check<any>>>(fields: T) => Check<Readonly<{[K in keyof T]: ReturnType<T[K]>}>>} */
const record = (fields) => (value, at) => {
  const given = object(value, at);
  const checked = Object.entries(fields).map(([key, check]) => [
    key,
    check(Object.hasOwn(given, key) ? given[key] : undefined, `${at}.${key}`),
  ]);
  return Object.freeze(Object.fromEntries(checked));
};

/** @type {<T>(key: Check<string>, item: Check<T>, most: number) => Check<ReadonlyMap<string, T>>} */
const map = (key, item, most) => (value, at) => {
  const pairs = Object.entries(object(value, at));
  if (pairs.length > most) refuse(at);
  return new Map(pairs.map(([name, each]) => [key(name, at), item(each, `${at}.${name}`)]));
};

const name = text(/^[^\u0000-\u001f\u007f]{1,512}$/u);
const bytes = integer(0, MOST_BYTES);
const blob = { file: text(FILE), bytes, sha256: text(/^[0-9a-f]{64}$/) };
/** @type {Check<number | string | null>} */
const dimension = (value, at) =>
  value === null ? null : typeof value === "string" ? name(value, at) : integer(0, 2 ** 40)(value, at);
/** @type {Check<readonly (number | string | null)[] | null>} */
const shape = (value, at) => (value === null ? null : list(dimension, 64)(value, at));
const ports = list(record({ name, dtype: text(/^[a-z0-9_]{1,32}$/), shape }), 4096);
const dataFile = record({
  path: text(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  bytes,
  chunks: list(record({ ...blob, bytes: integer(1, MOST_BYTES), offset: bytes }), 65536),
  tensors: optional(list(bytes, 1 << 21), Object.freeze([])),
});
const requires = record({
  ops: optional(list(name, 4096), Object.freeze([])),
  shaderF16: optional(oneOf(true, false), false),
  memory: optional(bytes, 0),
});
const stage = record({ graph: record(blob), data: list(name, 256), inputs: ports, outputs: ports });
const variant = record({
  name,
  graph: record(blob),
  data: list(dataFile, 256),
  inputs: ports,
  outputs: ports,
  providers: optional(list(name, 9), undefined),
  stages: optional(list(stage, 64), undefined),
  generation: /** @type {Check<any>} */ (optional(object, undefined)), // generate.js looks into it
  requires: optional(requires, Object.freeze({ ops: Object.freeze([]), shaderF16: false, memory: 0 })),
});
const entryRecord = record({
  load: optional(oneOf("lazy", "idle", "eager"), "lazy"),
  assets: optional(list(record({ name, ...blob }), 4096), Object.freeze([])),
  variants: list(variant, 256),
});
const manifest = record({ version: oneOf(1), entries: map(name, entryRecord, 10000) });

/**
 * @param {Uint8Array} content
 * @returns {import("./types.d.ts").Manifest}
 */
export function parseManifest(content) {
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch (cause) {
    throw new MbundleError("manifest", "The manifest is not JSON.", { cause });
  }
  const read = manifest(value, "manifest");
  const files = new Map();
  for (const [key, { variants }] of read.entries) {
    if (variants.length === 0) refuse(`manifest.entries.${key}.variants`);
    unique(variants.map((each) => each.name), `manifest.entries.${key}.variants`);
    for (const each of variants) checkVariant(each, `manifest.entries.${key}.${each.name}`, files);
  }
  return read;
}

/** @param {import("./types.d.ts").Variant} each @param {string} at @param {Map<string, string>} files */
function checkVariant({ graph, data, inputs, outputs, stages = [] }, at, files) {
  for (const names of [inputs, outputs]) unique(names.map((port) => port.name), at);
  unique(data.map((file) => file.path), at);
  for (const file of data) checkTiling(file, `${at}.${file.path}`);
  for (const { file, bytes, sha256 } of [graph, ...stages.map((each) => each.graph), ...data.flatMap((each) => each.chunks)]) {
    const known = files.get(file) ?? `${sha256} ${bytes}`;
    if (known !== `${sha256} ${bytes}`) refuse(`${at}.${file}`);
    files.set(file, known);
  }
}

/** @param {import("./types.d.ts").DataFile} file @param {string} at */
function checkTiling({ bytes, chunks, tensors }, at) {
  let end = 0;
  for (const chunk of chunks) {
    if (chunk.offset !== end) refuse(at);
    end += chunk.bytes;
  }
  if (end !== bytes) refuse(at);
  if (tensors.length % 2) refuse(`${at}.tensors`);
  for (let index = 0; index < tensors.length; index += 2) {
    const offset = tensors[index] ?? 0;
    if (offset < (tensors[index - 2] ?? 0)) refuse(`${at}.tensors`);
    if (offset + (tensors[index + 1] ?? 0) > bytes) refuse(`${at}.tensors`);
  }
}

/** @param {readonly string[]} names @param {string} at */
function unique(names, at) {
  if (new Set(names).size !== names.length) refuse(at);
}
