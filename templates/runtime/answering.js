// A worker that has answered. A policy (CSP worker-src, Trusted Types) says no by an error event, by an exception, or by
// silence.

const ANSWER_MS = 10_000;

/** @param {() => Worker} start @returns {Promise<Worker | undefined>} */
export function answering(start) {
  return new Promise((resolve) => {
    let worker;
    try {
      worker = start();
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
