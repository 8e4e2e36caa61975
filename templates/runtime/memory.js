// A store for pages whose origin has none, or no room.

/** @typedef {import("./store.js").Store} Store */

/** @returns {Store & {list: () => Promise<string[]>, sizes: () => Promise<number[]>}} */
function memoryStore() {
  /** @type {Map<string, Uint8Array<ArrayBuffer>>} */
  const held = new Map();
  return {
    shared: false,
    async read(sha256, target, onBytes) {
      const bytes = held.get(sha256);
      if (bytes?.length !== target.length) return false;
      target.set(bytes);
      held.delete(sha256);
      onBytes(target.length);
      return true;
    },
    async write(sha256, bytes) {
      held.set(sha256, bytes);
    },
    has: async (sha256) => held.has(sha256),
    async remove(sha256) {
      held.delete(sha256);
    },
    list: async () => [...held.keys()],
    sizes: async () => [...held.values()].map(({ length }) => length),
    note: async () => undefined,
  };
}

/** What `preload` brought, until the first `load` takes it: two copies of weights are never kept. */
export const memory = memoryStore();
