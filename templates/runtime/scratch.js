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
  const copy = scratch(bytes.length);
  copy?.set(bytes);
  return copy ?? bytes;
}

/** @param {number} length @returns {Uint8Array<ArrayBuffer> | undefined} to be filled and read before anyone else asks */
export function scratch(length) {
  if (length > MOST) return undefined;
  if (buffer.byteLength < length) buffer = new ArrayBuffer(length);
  return new Uint8Array(buffer, 0, length);
}

/** Of what it holds; the next call makes room anew. */
export const letGo = () => void (buffer = new ArrayBuffer(0));
