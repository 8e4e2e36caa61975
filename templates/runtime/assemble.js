// From chunks to the external data files that onnxruntime asks for by name. A span is one buffer that chunks are
// fetched into directly; no byte is copied to put a file together.

import { MbundleError } from "./errors.js";
import { lazyView, release } from "./view.js";

/**
 * @typedef {object} Span
 * @property {number} offset where it starts in its file
 * @property {Uint8Array<ArrayBuffer> | undefined} bytes until they have been given back
 * @property {ReadonlyMap<number, number>} reads how often each initializer (by its offset in the file) is read
 *
 * @typedef {object} Mounted
 * @property {string} path
 * @property {Uint8Array & {readonly lost?: boolean}} data
 *
 * @typedef {object} Layout buffers for all of a variant
 * @property {Uint8Array<ArrayBuffer>} graph
 * @property {{blob: import("./types.d.ts").FileRef, target: Uint8Array<ArrayBuffer>}[]} places graph first, then the chunks in order
 * @property {() => Mounted[]} mount
 * @property {(opened?: boolean) => Promise<unknown> | void} drop once no session reads any more: gives back what is left; what it returns, the session must outlive
 * @property {(signal: AbortSignal) => import("./acquire.js").Behind} [behind] `signal`: of all fetches
 */

/**
 * @param {import("./types.d.ts").Variant} variant
 * @param {boolean} lazy one span per run of chunks that no initializer crosses, freed when read; else one per file
 * @param {import("./types.d.ts").Kept} [kept]
 * @returns {Layout}
 */
export function layOut({ graph, data }, lazy, kept) {
  const graphBytes = allocate(graph.bytes, graph.file);
  const files = data.map((file) => ({ file, spans: spansOf(file, lazy, kept) }));
  return {
    graph: graphBytes,
    places: [{ blob: graph, target: graphBytes }, ...files.flatMap(({ file, spans }) => placesOf(file, spans))],
    drop: () => files.forEach(({ file, spans }) => lazy && file.tensors.length > 0 && spans.forEach(release)),
    mount: () => files.map(({ file, spans }) => ({ path: file.path, data: dataOf(file, spans, lazy) })),
  };
}

/** What a page fetches to run all of a variant; not the graph of the whole where there are stages. @param {import("./types.d.ts").Variant} variant @returns {import("./types.d.ts").FileRef[]} */
export const filesOf = ({ graph, data, stages }) => [...(stages ?? [{ graph }]).map((each) => each.graph), ...data.flatMap(({ chunks }) => chunks)];

/** @param {import("./types.d.ts").DataFile} file @param {Span[]} spans @param {boolean} lazy */
const dataOf = (file, spans, lazy) => (lazy && file.tensors.length > 0 ? lazyView(file.bytes, spans) : spans[0]?.bytes ?? new Uint8Array(0));

/** @param {import("./types.d.ts").DataFile} file @param {Span[]} spans */
function placesOf({ chunks }, spans) {
  return chunks.map((blob) => {
    const span = spans.findLast(({ offset }) => offset <= blob.offset);
    const from = blob.offset - (span?.offset ?? 0);
    return { blob, target: /** @type {Uint8Array<ArrayBuffer>} */ (span?.bytes?.subarray(from, from + blob.bytes)) };
  });
}

/** @param {import("./types.d.ts").DataFile} file @param {boolean} lazy @param {import("./types.d.ts").Kept} [kept] @returns {Span[]} */
function spansOf(file, lazy, kept) {
  const cuts = lazy && file.tensors.length > 0 ? cutsOf(file) : [0];
  return cuts.map((offset, index) => {
    const end = cuts[index + 1] ?? file.bytes;
    return { offset, bytes: kept?.span(file, offset, end) ?? allocate(end - offset, file.path), reads: readsOf(file.tensors, offset, end) };
  });
}

/** Starts of the chunks that no initializer runs into. @param {import("./types.d.ts").DataFile} file */
export function cutsOf({ chunks, tensors }) {
  let next = 0;
  let reach = 0;
  return chunks.flatMap(({ offset }) => {
    for (; (tensors[next] ?? Infinity) < offset; next += 2) reach = Math.max(reach, (tensors[next] ?? 0) + (tensors[next + 1] ?? 0));
    return reach <= offset ? [offset] : [];
  });
}

/** @param {readonly number[]} tensors @param {number} from @param {number} to @param {boolean} [parts] also of those that begin before */
export function readsOf(tensors, from, to, parts) {
  const reads = new Map();
  for (let index = 0; index < tensors.length; index += 2) {
    const offset = tensors[index] ?? 0;
    if (offset + (parts ? (tensors[index + 1] ?? 0) - 1 : 0) >= from && offset < to) reads.set(offset, (reads.get(offset) ?? 0) + 1);
  }
  return reads;
}

/** @param {number} size @param {string} file */
export function allocate(size, file) {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new MbundleError("memory", `The browser gives no ${size} bytes of memory for ${file}.`, { file, cause });
  }
}
