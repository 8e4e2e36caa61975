// Rests on an internal of onnxruntime-web (checked for 1.30 in tests/web): it reads each initializer by one
// `data.subarray(from, to)` on the mounted file and copies what it gets into the wasm heap. So an object that *is* a
// Uint8Array can hand out tensors from the chunks they came in and give each chunk back when its tensors have been
// read: the weights are never twice in memory (434 MB of weights: peak 650 MB, against 1054 for a plain buffer).

/**
 * @typedef {{bytes: Uint8Array<ArrayBuffer>, free: () => void}} Piece `free`: gives the span back if that was its last read
 * @param {number} size of the file
 * @param {import("./assemble.js").Span[]} spans ascending, tiling the file
 * @param {(pieces: Piece[], from: number) => Uint8Array<ArrayBuffer>} [join] what is handed out instead of the pieces of the initializer at `from`; one that lies in several spans needs it
 * @returns {Uint8Array & {readonly lost: boolean}} `lost`: a range was asked for again after it had been given back
 */
export function lazyView(size, spans, join) {
  const unread = spans.map(({ reads }) => new Map(reads));
  /** @type {Piece[]} */
  let spent = [];
  let lost = false;

  class View extends Uint8Array {
    static get [Symbol.species]() {
      return Uint8Array;
    }
    /** @override @returns {number} */
    get byteLength() {
      return size;
    }
    get lost() {
      return lost;
    }
    /** @override @param {number} [from] @param {number} [to] @returns {Uint8Array<ArrayBuffer>} */
    subarray(from = 0, to = size) {
      spent.forEach(({ free }) => free()); // what was handed out last has been copied by now
      spent = [];
      let index = spans.findLastIndex(({ offset }) => offset <= from);
      for (let at = from, end = from; ; at = end, index++) {
        const span = spans[index];
        end = Math.min(to, (span?.offset ?? 0) + (span?.bytes?.length ?? 0));
        if (!span?.bytes || end < to && !join) {
          lost = true;
          throw new RangeError(`bytes ${from} to ${to} are not here`);
        }
        const last = markRead(unread[index], from);
        spent.push({ bytes: span.bytes.subarray(at - span.offset, end - span.offset), free: () => last && release(span) });
        if (end === to) break;
      }
      return join ? join(spent, from) : /** @type {Piece} */ (spent[0]).bytes;
    }
  }
  return /** @type {any} */ (new View(0));
}

/** @param {Map<number, number> | undefined} unread @param {number} from @returns {boolean} whether that was the last read */
function markRead(unread, from) {
  const times = unread?.get(from);
  if (!unread || times === undefined) return false;
  if (times > 1) unread.set(from, times - 1);
  else unread.delete(from);
  return unread.size === 0;
}

/** Detaching a buffer frees it at once; dropping the reference would wait for the collector. @param {import("./assemble.js").Span} span */
export function release(span) {
  const buffer = /** @type {(ArrayBuffer & {transfer?: (size: number) => ArrayBuffer}) | undefined} */ (span.bytes?.buffer);
  span.bytes = undefined;
  buffer?.transfer?.(0);
}
