// Tasks that stand or fall together.

/**
 * Runs all tasks; when one fails, the others are aborted and awaited, so that nothing of them is left when this throws.
 * @template T
 * @param {AbortSignal} outer
 * @param {readonly ((signal: AbortSignal) => Promise<T>)[]} tasks
 * @returns {Promise<T[]>}
 */
export async function together(outer, tasks) {
  outer.throwIfAborted();
  const inner = new AbortController();
  const stop = () => inner.abort(outer.reason);
  outer.addEventListener("abort", stop, { once: true });
  const running = tasks.map((task) => task(inner.signal));
  try {
    return await Promise.all(running);
  } catch (error) {
    inner.abort(error);
    await Promise.allSettled(running);
    throw error;
  } finally {
    outer.removeEventListener("abort", stop);
  }
}

/**
 * Settles as `promise` does, or rejects with the signal's reason when it is aborted first.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
export function orAbort(promise, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/**
 * Settles as `promise` does, or with undefined when that takes longer.
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T | undefined>}
 */
export function within(ms, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms, undefined);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @param {number} ms @returns {Promise<unknown>} */
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));
