// The worker of this page, and whether it may start one at all.

import { answering } from "./answering.js";

/** @returns {Promise<Worker | undefined>} */
export const openWorker = () => answering(() => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "mbundle" }));

/** @returns {Promise<boolean>} */
export async function canStartWorker() {
  const worker = await openWorker();
  worker?.terminate();
  return worker !== undefined;
}
