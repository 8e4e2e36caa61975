// Tensors on their way between this page and mbundle: bytes in a file of the server, or in base64.

/** @typedef {{name: string, dtype: string, dims: number[], url: string}} Feed  `url`: of a file with the values, little-endian */
/** @typedef {{data: any, dims: number[], type: string}} Value */

/** @type {Record<string, any>} */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: /** @type {any} */ (globalThis).Float16Array ?? Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

/** @param {readonly Feed[]} feeds @returns {Promise<Record<string, Value>>} */
export async function fetchFeeds(feeds) {
  const read = feeds.map(async ({ name, dtype, dims, url }) => {
    const answer = await fetch(url, { cache: "no-store" });
    if (!answer.ok) throw new Error(`the values of ${name} cannot be fetched: ${answer.status}`);
    return [name, { type: dtype, dims, data: new ARRAYS[dtype](await answer.arrayBuffer()) }];
  });
  return Object.fromEntries(await Promise.all(read));
}

/** @param {Record<string, {type: string, dims: readonly number[], data: any}>} outputs */
export async function packed(outputs) {
  const all = Object.entries(outputs).map(async ([name, { type, dims, data }]) => {
    if (!ArrayBuffer.isView(data)) throw new Error(`the output ${name} is of type ${type}, which has no bytes`);
    return { name, dtype: type, dims: [...dims].map(Number), base64: await base64(data) };
  });
  return Promise.all(all);
}

/** @param {ArrayBufferView} data @returns {Promise<string>} */
function base64({ buffer, byteOffset, byteLength }) {
  const blob = new Blob([new Uint8Array(/** @type {ArrayBuffer} */ (buffer), byteOffset, byteLength).slice()]);
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,?/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
