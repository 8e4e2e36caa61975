// Whether this page may start a worker at all. A policy (CSP worker-src, Trusted Types) says no by an error event, by
// an exception, or by silence.

const ANSWER_MS = 10_000;

/** @returns {Worker} */
const startWorker = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "mbundle" });

/** @returns {Promise<Worker | undefined>} one that has answered */
export function openWorker() {
  return new Promise((resolve) => {
    let worker;
    try {
      worker = startWorker();
    } catch {
      return resolve(undefined);
    }
    const given = worker;
    /** @param {Worker | undefined} answer */
    const end = (answer) => {
      clearTimeout(timer);
      given.onmessage = given.onerror = null;
      if (!answer) given.terminate();
      resolve(answer);
    };
    const timer = setTimeout(end, ANSWER_MS, undefined);
    given.onmessage = () => end(given);
    given.onerror = (event) => {
      event.preventDefault();
      end(undefined);
    };
    given.postMessage({ call: "hello" });
  });
}

/** @returns {Promise<boolean>} */
export async function canStartWorker() {
  const worker = await openWorker();
  worker?.terminate();
  return worker !== undefined;
}
