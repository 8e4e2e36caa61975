// Room for the KV cache of a text on the GPU: buffers as long as the text may become, which each step reads and writes on in
// place. Only for models whose attention does that (`generation.inPlace`); with a Concat each step has a new cache.

import { MbundleError } from "./errors.js";

/**
 * @typedef {import("./types.d.ts").OrtTensor} OrtTensor
 * @typedef {import("./generate.js").Writing} Writing
 * @typedef {{length: number, buffers: any[]}} Room `length`: in tokens; a buffer for each pair of `cache`
 * @typedef {{past: Record<string, OrtTensor>, fetches: Record<string, OrtTensor | null>, grow: (tokens: number, seen: number) => Promise<void>, end: () => void}} Lane
 * @typedef {{take: (most: number, first: number) => Promise<Lane | undefined>, refuse: () => void, free: () => void}} Rooms
 */

/** @type {Record<string, number>} */
const BYTES = { float32: 4, float16: 2 };
/** Tokens. Up to here a text gets all the room it asks for at once; a longer one twice what it needs, when it needs it. */
const AT_ONCE = 1024;
const USAGE = 0x80 | 0x08 | 0x04; // STORAGE, COPY_DST, COPY_SRC

/** Rooms of one session: what a text leaves is the next one's. @param {Writing} parts @returns {Rooms | undefined} */
export function makeRooms({ ort, variant: { inputs, generation }, info }) {
  const { fromGpuBuffer } = /** @type {any} */ (ort.Tensor);
  const bytes = BYTES[generation.dtype] ?? 0;
  if (!generation.inPlace || info.device !== "webgpu" || bytes === 0 || !fromGpuBuffer) return undefined;
  const sizes = generation.cache.map(([past]) => {
    const shape = inputs.find(({ name }) => name === past)?.shape;
    return { heads: Number(shape?.[1]), width: Number(shape?.[3]) };
  });
  const dataType = generation.dtype;
  /** @type {Set<Room>} */
  const rooms = new Set();
  /** @type {Room | undefined} */
  let spare;
  let refused = false;

  const device = async () => /** @type {any} */ (await /** @type {any} */ (ort.env).webgpu?.device);

  /** @param {number} length @returns {Promise<Room | undefined>} undefined: the device has no such room */
  async function build(length) {
    const gpu = await device();
    const largest = Math.max(...sizes.map(({ heads, width }) => heads * width)) * bytes * length;
    if (!gpu || largest > gpu.limits.maxStorageBufferBindingSize || largest > gpu.limits.maxBufferSize) return undefined;
    gpu.pushErrorScope("out-of-memory");
    const buffers = sizes.map(({ heads, width }) => gpu.createBuffer({ size: Math.ceil((heads * width * bytes * length) / 16) * 16, usage: USAGE }));
    const room = { length, buffers };
    rooms.add(room);
    if (await gpu.popErrorScope()) return void remove(room);
    return room;
  }

  /** @param {Room} room */
  function remove(room) {
    rooms.delete(room);
    room.buffers.forEach((buffer) => buffer.destroy());
  }

  /** `seen` tokens of each head, which lie further apart in the other. @param {Room} from @param {Room} to @param {number} seen */
  async function copy(from, to, seen) {
    const gpu = await device();
    const encoder = gpu.createCommandEncoder();
    sizes.forEach(({ heads, width }, index) => {
      const row = width * bytes;
      for (let head = 0; head < heads; head++) encoder.copyBufferToBuffer(from.buffers[index], head * from.length * row, to.buffers[index], head * to.length * row, seen * row);
    });
    gpu.queue.submit([encoder.finish()]);
  }

  /** @param {Room} room */
  const tensors = ({ length, buffers }) => sizes.map(({ heads, width }, index) => /** @type {OrtTensor} */ (fromGpuBuffer(buffers[index], { dataType, dims: [1, heads, length, width] })));

  /** @param {number} most tokens of the whole text @param {number} first those of its first step @returns {Promise<Lane | undefined>} undefined: none is to be had */
  async function take(most, first) {
    if (refused) return undefined;
    const wanted = Math.min(most, Math.max(first, AT_ONCE));
    const found = spare && spare.length >= wanted ? spare : undefined;
    if (spare && !found) remove(spare);
    spare = undefined;
    const room = found ?? (await build(wanted));
    return room && lane(room, most);
  }

  /** @param {Room} room @param {number} most @returns {Lane} */
  function lane(room, most) {
    /** @type {Lane} */
    const it = { past: {}, fetches: {}, grow, end };
    const enter = () => {
      const all = tensors(room);
      it.past = Object.fromEntries(generation.cache.map(([past], index) => [past, all[index]]));
      it.fetches = { logits: null, ...Object.fromEntries(generation.cache.map(([, present], index) => [present, all[index]])) };
    };
    /** @param {number} needed @param {number} seen */
    async function grow(needed, seen) {
      if (needed <= room.length) return;
      const larger = await build(Math.min(most, 2 * needed));
      if (!larger) throw new MbundleError("run", `The GPU has no room for the KV cache of ${needed} tokens.`);
      await copy(room, larger, seen);
      remove(room);
      room = larger;
      enter();
    }
    /** The largest is kept for the next text. */
    function end() {
      const kept = refused ? undefined : spare && spare.length >= room.length ? spare : room;
      for (const one of new Set([spare, room])) if (one && one !== kept && rooms.has(one)) remove(one);
      spare = kept;
    }
    enter();
    return it;
  }

  return {
    take,
    refuse: () => void (refused = true),
    free: () => rooms.forEach(remove),
  };
}
