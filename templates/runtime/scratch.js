// One buffer for what browser functions read at once (hashing, making a response copy their input before they return).
// A buffer that was ever handed to one keeps a second reference until the collector comes, so that giving it back frees
// nothing: weights go through here, and their own buffers can be freed when onnxruntime has read them.

const MOST = 32 << 20;
let buffer = new ArrayBuffer(0);

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Uint8Array<ArrayBuffer>} the same bytes, until the next call
 */
export function passing(bytes) {
  if (bytes.length > MOST) return bytes;
  if (buffer.byteLength < bytes.length) buffer = new ArrayBuffer(bytes.length);
  const copy = new Uint8Array(buffer, 0, bytes.length);
  copy.set(bytes);
  return copy;
}

/**
 * Before weights are copied into onnxruntime's heap: what the fetches have left lies with a collector that sees no
 * hurry (40 of 434 MB). It counts the size of buffers, also of those that nobody has written to and that take no room.
 */
export function collectGarbage() {
  buffer = new ArrayBuffer(0);
  try {
    for (let times = 0; times < 4; times++) new ArrayBuffer(MOST * 4);
  } catch {} // less address space than that: it will be in a hurry by itself
}
