// What mbundle calls in the page. Nothing in here runs between two clocks but what is measured.

import { fetchFeeds, packed } from "./tensors.js";
import { emitted, source } from "./ways.js";

const WAYS = { emitted, source };
const MOST_REQUESTS = 5_000;
const SHORTEST_TASK_MS = 50; // what the browser calls long: https://web.dev/articles/tbt

/**
 * @typedef {object} Wish
 * @property {"emitted" | "source"} way
 * @property {import("./ways.js").Machine & {module: string, variant: string | null, source: string}} options
 * @property {import("./tensors.js").Feed[]} feeds
 * @property {number} warmup runs that are not counted, after the first
 * @property {number} runs
 */

/** @type {Record<string, any>} */
let ready = {};

/** Everything that the page itself needs, before the clock starts. @param {Wish} wish */
export async function prepare({ feeds }) {
  ready = await fetchFeeds(feeds);
  performance.setResourceTimingBufferSize(MOST_REQUESTS);
}

/** One visit: load, first inference, `warmup` and `runs` more. Times in ms. @param {Wish} wish */
export const visit = (wish) => told(async () => {
  const began = performance.now();
  const model = await WAYS[wish.way](wish.options);
  const loaded = performance.now();
  await model.run(ready);
  const first = performance.now();
  const long = await longTasks(began, first);
  const steady = await times(model, wish);
  return {
    load: loaded - began,
    session: model.built === undefined ? null : loaded - model.built,
    first: first - loaded,
    result: first - began,
    longest: Math.max(0, ...long),
    blocked: long.reduce((sum, each) => sum + Math.max(0, each - SHORTEST_TASK_MS), 0),
    steady,
    waterfall: [
      ...requests(began, loaded),
      { name: "session", kind: "session", start: (model.built ?? loaded) - began, end: loaded - began, bytes: null },
      { name: "first inference", kind: "run", start: loaded - began, end: first - began, bytes: null },
    ],
    info: model.info,
  };
});

/** What the page fetched in between, times in ms since then. @param {number} from @param {number} to */
function requests(from, to) {
  const found = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType("resource"));
  return found
    .filter(({ startTime, responseEnd }) => startTime >= from && responseEnd > 0 && startTime < to)
    .map(({ name, startTime, responseEnd, encodedBodySize }) => ({ name: new URL(name).pathname.replace(/^.*\//, ""), kind: "fetch", start: startTime - from, end: responseEnd - from, bytes: encodedBodySize }));
}

/** The outputs for each sample. @param {Wish & {samples: import("./tensors.js").Feed[][]}} wish */
export const outputs = (wish) => told(async () => {
  const model = await WAYS[wish.way](wish.options);
  const all = [];
  for (const sample of wish.samples) all.push(await packed(await model.run(await fetchFeeds(sample))));
  await model.dispose();
  return { outputs: all, info: model.info };
});

/** Whether this browser has a GPU for pages, and which. */
export async function adapter() {
  const found = await /** @type {any} */ (navigator).gpu?.requestAdapter().catch(() => null);
  if (!found) return null;
  const { vendor = "", architecture = "", description = "", isFallbackAdapter = false } = found.info ?? {};
  const software = found.isFallbackAdapter || isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${vendor} ${architecture} ${description}`);
  return { name: [vendor, architecture, description].filter(Boolean).join(" "), software: Boolean(software), shaderF16: found.features.has("shader-f16") };
}

/** Waits until `count` files are in the store of this origin: they are stored behind the session. @param {[string, number, number]} wish runtime, count, ms */
export async function stored([runtime, count, ms]) {
  const { cacheInfo } = await import(runtime);
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const { files, kind } = await cacheInfo();
    if (files >= count || kind !== "cache") return kind === "cache";
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/** @param {import("./ways.js").Opened} model @param {Wish} wish */
async function times(model, { warmup, runs }) {
  for (let index = 0; index < warmup; index++) await model.run(ready);
  const taken = [];
  for (let index = 0; index < runs; index++) {
    const began = performance.now();
    await model.run(ready);
    taken.push(performance.now() - began);
  }
  return taken;
}

/**
 * The long tasks in between, ms each, as the browser has kept them: an observer that listens meanwhile makes the first
 * inference a tenth slower.
 * @param {number} from @param {number} to @returns {Promise<number[]>}
 */
async function longTasks(from, to) {
  /** @type {PerformanceEntry[]} */
  const seen = [];
  const observer = new PerformanceObserver((list) => seen.push(...list.getEntries()));
  observer.observe({ type: "longtask", buffered: true });
  await new Promise((resolve) => setTimeout(resolve, 150)); // they are told late
  seen.push(...observer.takeRecords());
  observer.disconnect();
  return seen.filter(({ startTime, duration }) => startTime + duration > from && startTime < to).map(({ duration }) => duration);
}

/** What fails is data for mbundle. @template T @param {() => Promise<T>} task */
async function told(task) {
  try {
    return { value: await task() };
  } catch (thrown) {
    const error = /** @type {any} */ (thrown);
    return { error: { code: String(error?.code ?? error?.name ?? "error"), what: String(error?.what ?? error?.message ?? error), fix: String(error?.fix ?? "") } };
  }
}
