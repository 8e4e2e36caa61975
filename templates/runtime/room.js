// Room for the KV cache of a text on the GPU: buffers as long as the text may become, which each step reads and writes on in
// place. Only for models whose attention does that (`generation.inPlace`); with a Concat each step has a new cache.

import { MbundleError } from "./errors.js";

/**
 * @typedef {import("./types.d.ts").OrtTensor} OrtTensor
 * @typedef {import("./types.d.ts").OrtSession} OrtSession
 * @typedef {import("./model.js").Parts & {variant: {generation: import("./types.d.ts").Generation}}} Holder
 * @typedef {{length: number, buffers: any[]}} Room `length`: in tokens; a buffer for each pair of `cache`
 * @typedef {{heads: number, row: number, width: number}} Size `row`: bytes of a head of a token
 */

/** @type {Record<string, number>} */
const BYTES = { float32: 4, float16: 2 };
/** Tokens. Up to here a text gets all the room it asks for at once; a longer one twice what it needs, when it needs it. */
const AT_ONCE = 1024;
const USAGE = 0x80 | 0x08 | 0x04; // STORAGE, COPY_DST, COPY_SRC

/** Rooms for the texts of one session on WebGPU: what a text leaves is the next one's. @param {Holder} holder */
export function makeRooms({ ort, session, variant: { inputs, generation } }) {
  const { fromGpuBuffer } = /** @type {any} */ (ort.Tensor);
  const { cache, dtype } = generation;
  const bytes = BYTES[dtype] ?? 0;
  if (bytes === 0 || !fromGpuBuffer) return undefined;
  const sizes = cache.map(([past]) => {
    const shape = inputs.find(({ name }) => name === past)?.shape;
    return { heads: Number(shape?.[1]), width: Number(shape?.[3]), row: Number(shape?.[3]) * bytes };
  });
  /** @type {Set<Room>} */
  const rooms = new Set();
  /** @type {Room | undefined} */
  let spare;
  let refused = false;

  /** @param {number} length @returns {Promise<Room | undefined>} undefined: the device has not so much */
  async function build(length) {
    const gpu = await device(ort);
    const buffers = gpu && (await allocate(gpu, sizes.map(({ heads, row }) => heads * row * length)));
    const room = buffers && { length, buffers };
    if (room) rooms.add(room);
    return room;
  }

  /** @param {Room | undefined} room */
  function remove(room) {
    if (room && rooms.delete(room)) room.buffers.forEach((buffer) => buffer.destroy());
  }

  /** @param {number} length */
  async function take(length) {
    const found = spare && spare.length >= length ? spare : undefined;
    if (!found) remove(spare);
    spare = undefined;
    return found ?? build(length);
  }

  /** The largest is kept for the next text. @param {Room} room */
  function leave(room) {
    const [kept, other] = spare && spare.length >= room.length ? [spare, room] : [room, spare];
    spare = kept;
    remove(other);
  }

  /** @param {Room} room @param {number} needed @param {number} seen @param {number} most */
  async function larger(room, needed, seen, most) {
    const found = await build(Math.min(most, 2 * needed));
    if (!found) throw new MbundleError("run", `The GPU has no room for the KV cache of ${needed} tokens.`);
    copy(await device(ort), sizes, room, found, seen);
    remove(room);
    return found;
  }

  /** Past and present of a step, which are the same. @param {Room} room */
  function bindings({ length, buffers }) {
    const tensors = sizes.map(({ heads, width }, index) => fromGpuBuffer(buffers[index], { dataType: dtype, dims: [1, heads, length, width] }));
    const by = (/** @type {0 | 1} */ side) => Object.fromEntries(cache.map((pair, index) => [pair[side], tensors[index]]));
    return { past: by(0), outputs: { logits: null, ...by(1) } };
  }

  return {
    /** What a text of at most `most` tokens is written with, step by step from its first. @param {number} most @returns {OrtSession} */
    session(most) {
      /** @type {Room | undefined} */
      let room;
      /** @type {ReturnType<typeof bindings> | undefined} */
      let bound;
      let seen = 0;
      /** @param {Record<string, OrtTensor>} feeds */
      async function run(feeds) {
        const needed = seen + Number(feeds["input_ids"]?.dims[1]);
        if (seen === 0 && !refused) room = await take(Math.min(most, Math.max(needed, AT_ONCE)));
        else if (room && needed > room.length) [room, bound] = [await larger(room, needed, seen, most), undefined];
        if (!room) return session.run(feeds);
        bound ??= bindings(room);
        const outputs = await session.run({ ...feeds, ...bound.past }, bound.outputs).catch((error) => {
          if (seen > 0) throw error;
          refused = true; // another onnxruntime-web than ours: there the cache grows
          remove(room);
          room = undefined;
          return session.run(feeds);
        });
        seen = needed;
        return outputs;
      }
      return { run, release: async () => room && leave(room) };
    },
    free: () => rooms.forEach(remove),
  };
}

/** @param {import("./types.d.ts").Ort} ort @returns {Promise<any>} */
const device = async (ort) => /** @type {any} */ (ort.env).webgpu?.device;

/** @param {any} gpu @param {number[]} sizes in bytes @returns {Promise<any[] | undefined>} */
async function allocate(gpu, sizes) {
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.limits;
  if (Math.max(...sizes) > Math.min(maxBufferSize, maxStorageBufferBindingSize)) return undefined;
  gpu.pushErrorScope("out-of-memory");
  const buffers = sizes.map((size) => gpu.createBuffer({ size: Math.ceil(size / 16) * 16, usage: USAGE }));
  if (!(await gpu.popErrorScope())) return buffers;
  buffers.forEach((buffer) => buffer.destroy());
  return undefined;
}

/** The tokens of each head lie further apart in the other. @param {any} gpu @param {Size[]} sizes @param {Room} from @param {Room} to @param {number} seen tokens */
function copy(gpu, sizes, from, to, seen) {
  const encoder = gpu.createCommandEncoder();
  sizes.forEach(({ heads, row }, index) => {
    for (let head = 0; head < heads; head++) encoder.copyBufferToBuffer(from.buffers[index], head * from.length * row, to.buffers[index], head * to.length * row, seen * row);
  });
  gpu.queue.submit([encoder.finish()]);
}
