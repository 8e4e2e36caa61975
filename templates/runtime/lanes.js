// How many fetches run at once, over all loads of the page, and which go first.

/** Six: what a browser opens to one HTTP/1.1 host; more gains nothing on HTTP/2 and delays the page's own requests. */
const WIDTH = 6;

/** @type {{priority: number, start: () => void}[]} */
const waiting = [];
let running = 0;

/**
 * @template T
 * @param {number} priority higher goes first; equals in order of arrival
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function inLane(priority, signal, task) {
  await turn(priority, signal);
  try {
    return await task();
  } finally {
    running--;
    next();
  }
}

/** @param {number} priority @param {AbortSignal} signal @returns {Promise<void>} */
function turn(priority, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const leave = () => {
      waiting.splice(waiting.indexOf(ticket), 1);
      reject(signal.reason);
    };
    const ticket = {
      priority,
      start() {
        signal.removeEventListener("abort", leave);
        resolve();
      },
    };
    const place = waiting.findIndex((other) => other.priority < priority);
    waiting.splice(place < 0 ? waiting.length : place, 0, ticket);
    signal.addEventListener("abort", leave, { once: true });
    next();
  });
}

function next() {
  while (running < WIDTH && waiting.length > 0) {
    running++;
    waiting.shift()?.start();
  }
}
