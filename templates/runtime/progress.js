// One progress figure over all files of a load, in true bytes; it never goes back.

import { sizeOf } from "./depot.js";

const EVERY_MS = 50;

/**
 * @param {string} entry
 * @param {readonly {bytes: number}[]} files
 * @param {((progress: import("./types.d.ts").Progress) => void) | undefined} listener
 */
export function trackProgress(entry, files, listener) {
  const total = sizeOf(files);
  const have = files.map(() => 0);
  const cached = files.map(() => false);
  let shown = 0;
  let last = -EVERY_MS;

  /** @param {import("./types.d.ts").Progress["phase"]} phase */
  const tell = (phase) => {
    last = performance.now();
    shown = Math.max(shown, sum(have));
    listener?.({ phase, loaded: shown, total, fromCache: fromCache(), entry });
  };
  const fromCache = () => sum(have.filter((_, index) => cached[index]));
  return {
    fromCache,
    downloaded: () => sum(have) - fromCache(),
    tell,
    /** @param {number} index @param {number} bytes @param {boolean} isCached */
    update(index, bytes, isCached) {
      have[index] = bytes;
      cached[index] = isCached;
      if (listener && performance.now() - last >= EVERY_MS) tell("download");
    },
  };
}

/** @param {readonly number[]} numbers */
const sum = (numbers) => numbers.reduce((all, each) => all + each, 0);
