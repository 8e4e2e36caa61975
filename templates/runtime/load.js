// The way of one entry from its name to an open session: manifest, choice, files, session.

import { acquire } from "./acquire.js";
import { noteBuild } from "./announce.js";
import { filesOf, layOut } from "./assemble.js";
import { choose } from "./capability.js";
import { LARGE, holdBack, holds, note, reserve, sizeOf } from "./depot.js";
import { MbundleError } from "./errors.js";
import { makeModel } from "./model.js";
import { startOrt } from "./ort.js";
import { fetchManifest } from "./pinned.js";
import { locate } from "./place.js";
import { trackProgress } from "./progress.js";
import { orAbort, pause, together, within } from "./scope.js";
import { openSession } from "./session.js";

/**
 * @typedef {import("./types.d.ts").Spec} Spec
 * @typedef {import("./types.d.ts").OpenOptions} LoadOptions
 * @typedef {import("./types.d.ts").FileRef} FileRef
 * @typedef {import("./capability.js").Choice} Choice
 * @typedef {{choices: Choice[], skipped: string[], key: string, proven: boolean, assets: readonly FileRef[]}} Plan
 *   `key`: of the note that remembers the choice; `proven`: this device has run the first choice before
 */

/** Graphs (sha256) that onnxruntime-web reads otherwise than view.js expects; they get plain buffers. @type {Set<string>} */
const plain = new Set();
const NEVER = new AbortController().signal;
const HOLD_MS = 2_000;
/** What an app that waits for the model does first: it runs. */
export const letRun = () => pause(100);
/** After these another variant, or another device, may still do. */
const NEXT = new Set(["session", "run", "memory", "ort"]);

/**
 * @param {Spec} spec
 * @param {LoadOptions} options
 * @returns {Promise<import("./types.d.ts").Model>}
 */
export async function loadEntry(spec, options) {
  const { signal = NEVER } = options;
  const planned = await plan(spec, options, signal);
  const { choices, skipped } = planned;
  for (let index = 0; ; index++) {
    const choice = /** @type {Choice} */ (choices[index]);
    const last = index === choices.length - 1;
    try {
      const opening = choice.variant.stages ? import("./stages.js").then(({ openStages }) => openStages(spec, choice, options, skipped)) : open(spec, choice, options, skipped);
      // Storing takes this thread, too. On a slow network it does not wait: there a visit that ends early has cost more.
      if (sizeOf(choice.variant.data) <= LARGE) holdBack(within(HOLD_MS, opening.then(letRun, () => {})));
      const model = await opening;
      if (!last && !(planned.proven && index === 0)) await prove(model, signal);
      remember(planned, choice);
      return model;
    } catch (error) {
      if (last || !(error instanceof MbundleError) || !NEXT.has(error.code)) throw await explained(spec, error, signal);
      skipped.push(error.what);
    }
  }
}

/**
 * @param {Spec} spec
 * @param {import("./types.d.ts").PreloadOptions & {priority?: number}} options
 * @returns {Promise<void>}
 */
export async function preloadEntry(spec, options) {
  const { signal = NEVER, priority = 0 } = options;
  const { choices: [choice], assets } = await plan(spec, options, signal);
  const files = choice ? [...(await filesFor(choice, options)), ...assets] : [];
  const progress = trackProgress(spec.name, files, options.onProgress);
  await reserve(files);
  try {
    await fetchAhead(spec, files, true, priority, signal, progress.update);
  } catch (error) {
    throw await explained(spec, error, signal);
  }
  progress.tell("ready");
}

/** @param {Choice} choice @param {import("./types.d.ts").PreloadOptions} options */
const filesFor = async ({ variant }, options) => (variant.stages ? (await import("./stages.js")).partsFor(variant, options).flatMap(filesOf) : filesOf(variant));

/**
 * @param {Spec} spec @param {readonly FileRef[]} files @param {boolean} hold @param {number} priority @param {AbortSignal} signal
 * @param {(index: number, bytes: number, cached: boolean) => void} update
 */
export async function fetchAhead(spec, files, hold, priority, signal, update) {
  let next = 0;
  const lane = async (/** @type {AbortSignal} */ inner) => {
    for (let index = next++; index < files.length; index = next++) {
      const blob = /** @type {FileRef} */ (files[index]);
      if (await holds(blob)) update(index, blob.bytes, true);
      else await bring(spec, blob, new Uint8Array(blob.bytes), { hold, priority, signal: inner, onBytes: (have, cached) => update(index, have, cached) });
    }
  };
  await together(signal, [lane, lane, lane, lane]);
}

/** @param {Spec} spec @param {LoadOptions} options @param {AbortSignal} signal @returns {Promise<Plan>} */
async function plan(spec, options, signal) {
  const manifest = await fetchManifest(spec, signal).catch(async (error) => {
    throw await explained(spec, error, signal);
  });
  const entry = manifest.entries.get(spec.name);
  if (!entry) throw new MbundleError("manifest", `The manifest has no entry ${spec.name}.`);
  const made = await choose(entry.variants, options, spec.name);
  const key = encodeURIComponent(`choice-${spec.manifest.sha256.slice(0, 16)}-${options.device ?? "auto"}-${options.variant ?? ""}-${spec.name}`);
  const text = await note(key);
  if (text === undefined) holdBack(announce(spec, manifest));
  return { ...recall(text, made), key, assets: entry.assets };
}

/** What was passed over on this device stays passed over, until the browser is another. @param {string | undefined} text @param {{choices: Choice[], skipped: string[]}} made */
function recall(text, { choices, skipped }) {
  const [agent, chosen, ...reasons] = (text ?? "").split("\n");
  const index = agent === navigator.userAgent ? choices.findIndex((choice) => labelOf(choice) === chosen) : -1;
  return index < 0 ? { choices, skipped, proven: false } : { choices: choices.slice(index), skipped: reasons, proven: true };
}

/** @param {Choice} choice */
const labelOf = ({ variant, device }) => `${device} ${variant.name}`;

/** What nobody has announced is removed by whoever tidies next. A second is all it may take. @param {Spec} spec @param {import("./types.d.ts").Manifest} manifest */
function announce(spec, manifest) {
  const build = JSON.stringify([locate(spec, spec.manifest.file).replace(/[^/]*$/, ""), [...manifest.entries.keys()].sort()]);
  return within(1_000, noteBuild(build, spec, manifest)).catch(() => {}); // next time
}

/** Also the moment to tidy the store: this build runs, so that files of the former are of no use. @param {Plan} planned @param {Choice} choice */
function remember({ key, proven, skipped }, choice) {
  if (proven) return;
  const text = [navigator.userAgent, labelOf(choice), ...skipped.map((reason) => reason.replaceAll("\n", " "))].join("\n");
  note(key, text)
    .then(async () => (await import("./tidy.js")).collect())
    .catch(() => {}); // next time
}

/** @param {import("./types.d.ts").Model & {trial?: import("./types.d.ts").Model}} model @param {AbortSignal} signal */
async function prove(model, signal) {
  const { smoke } = await import("./smoke.js");
  const { variant, device } = model.info;
  const fault = await orAbort(smoke(model.trial ?? model), signal).catch(async (error) => {
    await model.dispose();
    throw error;
  });
  if (!fault) return;
  await model.dispose();
  throw new MbundleError("run", `${variant} on ${device} fails at a trial run: ${fault}`);
}

/** @param {Spec} spec @param {unknown} error @param {AbortSignal} signal */
export async function explained(spec, error, signal) {
  if (!(error instanceof MbundleError) || error.code !== "html" && error.status !== 404 && error.status !== 410) return error;
  return import("./stale.js").then(({ explain }) => explain(spec, error, signal), () => error);
}

/** @param {Spec} spec @param {FileRef} blob @param {Uint8Array<ArrayBuffer>} target @param {Pick<import("./acquire.js").Want, "hold" | "kept" | "behind" | "priority" | "signal" | "onBytes">} how */
const bring = (spec, blob, target, how) => acquire({ blob, url: locate(spec, blob.file), target, ...how });

/**
 * @param {Spec} spec @param {Choice} choice @param {LoadOptions} options @param {string[]} skipped
 * @returns {Promise<import("./types.d.ts").Model>}
 */
export async function open(spec, choice, options, skipped) {
  const { signal = NEVER } = options;
  const { variant, device } = choice;
  const lazy = !plain.has(variant.graph.sha256);
  const frugal = sizeOf(variant.data) > LARGE ? await import("./frugal.js").catch(() => undefined) : undefined;
  const layout = (lazy && frugal?.layOut(spec, choice, options)) || layOut(variant, lazy, options.kept);
  const progress = trackProgress(spec.name, layout.places.map(({ blob }) => blob), options.onProgress);
  const writer = variant.generation && import("./generate.js").catch(() => undefined); // while the weights come
  const ort = await startAndFetch(spec, choice, layout, progress, options);
  const writing = await writer;
  progress.tell("session");
  const settings = await frugal?.settle(variant);
  const files = layout.mount();
  try {
    const session = await untilAborted(openSession(ort, choice, layout.graph, files, { ...settings, ...writing?.placement(choice), ...options.sessionOptions }), layout, signal);
    const stored = layout.drop(true);
    progress.tell("ready");
    const info = { entry: spec.name, variant: variant.name, device, worker: false, downloaded: progress.downloaded(), fromCache: progress.fromCache(), skipped };
    const parts = { ort, session, variant, info, stored };
    const model = makeModel(parts, options.outputs);
    return writing ? writing.generative(parts, model) : model;
  } catch (error) {
    if (!lazy || !isReadFault(error, files)) throw error;
    plain.add(variant.graph.sha256);
    return open(spec, choice, options, skipped);
  }
}

/**
 * @param {Spec} spec @param {Choice} choice @param {import("./assemble.js").Layout} layout
 * @param {ReturnType<typeof trackProgress>} progress @param {LoadOptions} options
 * @returns {Promise<import("./types.d.ts").Ort>}
 */
async function startAndFetch(spec, { device }, { places, behind }, progress, { signal = NEVER, ort, kept, keepOrt }) {
  await reserve(places.map(({ blob }) => blob));
  /** @type {((inner: AbortSignal) => Promise<any>)[]} */
  const fetches = places.map(({ blob, target }, index) => (inner) =>
    bring(spec, blob, target, { hold: false, kept, behind: behind?.(inner), priority: 1, signal: inner, onBytes: (have, cached) => progress.update(index, have, cached) }));
  const [started] = await together(signal, [(inner) => orAbort(startOrt(device, ort, spec, keepOrt ? inner : undefined), inner), ...fetches]);
  return started;
}

/** An abort does not wait for onnxruntime, but its session must not be left behind. @template {import("./types.d.ts").OrtSession} S @param {Promise<S>} opening @param {import("./assemble.js").Layout} layout @param {AbortSignal} signal */
async function untilAborted(opening, layout, signal) {
  try {
    return await orAbort(opening, signal);
  } catch (error) {
    opening.finally(layout.drop).then((session) => session.release()).catch(() => {});
    throw error;
  }
}

/** @param {unknown} error @param {import("./assemble.js").Mounted[]} files */
const isReadFault = (error, files) =>
  error instanceof MbundleError && error.code === "session" && (files.some(({ data }) => data.lost) || /external data/i.test(error.what));
