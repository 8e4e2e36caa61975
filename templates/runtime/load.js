// The way of one entry from its name to an open session: manifest, choice, files, session.

import { acquire } from "./acquire.js";
import { layOut } from "./assemble.js";
import { choose } from "./capability.js";
import { holds, reserve } from "./depot.js";
import { MbundleError } from "./errors.js";
import { makeModel } from "./model.js";
import { startOrt } from "./ort.js";
import { fetchManifest } from "./pinned.js";
import { locate } from "./place.js";
import { trackProgress } from "./progress.js";
import { orAbort, together } from "./scope.js";
import { openSession } from "./session.js";

/**
 * @typedef {import("./types.d.ts").Spec} Spec
 * @typedef {import("./types.d.ts").LoadOptions} LoadOptions
 * @typedef {import("./types.d.ts").FileRef} FileRef
 * @typedef {import("./capability.js").Choice} Choice
 */

/** Graphs (sha256) that onnxruntime-web reads otherwise than view.js expects; they get plain buffers. @type {Set<string>} */
const plain = new Set();
const NEVER = new AbortController().signal;

/**
 * @param {Spec} spec
 * @param {LoadOptions} options
 * @returns {Promise<import("./types.d.ts").Model>}
 */
export async function loadEntry(spec, options) {
  const { signal = NEVER } = options;
  const { choices, skipped } = await plan(spec, options, signal);
  for (const [index, choice] of choices.entries()) {
    try {
      return await open(spec, choice, options, skipped);
    } catch (error) {
      if (!(error instanceof MbundleError) || error.code !== "session" || index === choices.length - 1) throw error;
      skipped.push(error.what);
    }
  }
  throw new MbundleError("unsupported", `${spec.name} has no variant.`);
}

/**
 * @param {Spec} spec
 * @param {import("./types.d.ts").PreloadOptions} options
 * @returns {Promise<void>}
 */
export async function preloadEntry(spec, options) {
  const { signal = NEVER } = options;
  const { choices: [choice] } = await plan(spec, options, signal);
  const files = choice ? filesOf(choice) : [];
  const progress = trackProgress(spec.name, files, options.onProgress);
  await reserve(files);
  let next = 0;
  const lane = async (/** @type {AbortSignal} */ inner) => {
    for (let index = next++; index < files.length; index = next++) {
      const blob = /** @type {FileRef} */ (files[index]);
      if (await holds(blob)) progress.update(index, blob.bytes, true);
      else await bring(spec, blob, new Uint8Array(blob.bytes), { hold: true, priority: 0, signal: inner, onBytes: (have, cached) => progress.update(index, have, cached) });
    }
  };
  await together(signal, [lane, lane, lane, lane]);
  progress.tell("ready");
}

/** @param {Spec} spec @param {LoadOptions} options @param {AbortSignal} signal */
async function plan(spec, options, signal) {
  const manifest = await fetchManifest(spec, signal);
  const entry = manifest.entries.get(spec.name);
  if (!entry) throw new MbundleError("manifest", `The manifest has no entry ${spec.name}.`);
  return choose(entry.variants, options, spec.name);
}

/** @param {Choice} choice @returns {FileRef[]} */
const filesOf = ({ variant: { graph, data } }) => [graph, ...data.flatMap(({ chunks }) => chunks)];

/** @param {Spec} spec @param {FileRef} blob @param {Uint8Array<ArrayBuffer>} target @param {Pick<import("./acquire.js").Want, "hold" | "priority" | "signal" | "onBytes">} how */
const bring = (spec, blob, target, how) => acquire({ blob, url: locate(spec, blob.file), target, ...how });

/**
 * @param {Spec} spec @param {Choice} choice @param {LoadOptions} options @param {string[]} skipped
 * @returns {Promise<import("./types.d.ts").Model>}
 */
async function open(spec, choice, options, skipped) {
  const { signal = NEVER } = options;
  const { variant, device } = choice;
  const lazy = !plain.has(variant.graph.sha256);
  const layout = layOut(variant, lazy);
  const progress = trackProgress(spec.name, layout.places.map(({ blob }) => blob), options.onProgress);
  const ort = await startAndFetch(spec, choice, layout, progress, options);
  progress.tell("session");
  const files = layout.mount();
  try {
    const session = await untilAborted(openSession(ort, choice, layout.graph, files, options.sessionOptions ?? {}), signal);
    progress.tell("ready");
    const info = { entry: spec.name, variant: variant.name, device, downloaded: progress.downloaded(), fromCache: progress.fromCache(), skipped };
    return makeModel({ ort, session, variant, info });
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
async function startAndFetch(spec, { device }, { places }, progress, { signal = NEVER, ort }) {
  await reserve(places.map(({ blob }) => blob));
  /** @type {((inner: AbortSignal) => Promise<any>)[]} */
  const fetches = places.map(({ blob, target }, index) => (inner) =>
    bring(spec, blob, target, { hold: false, priority: 1, signal: inner, onBytes: (have, cached) => progress.update(index, have, cached) }));
  const [started] = await together(signal, [(inner) => orAbort(startOrt(device, ort), inner), ...fetches]);
  return started;
}

/** An abort does not wait for onnxruntime, but its session must not be left behind. @template {import("./types.d.ts").OrtSession} S @param {Promise<S>} opening @param {AbortSignal} signal */
async function untilAborted(opening, signal) {
  try {
    return await orAbort(opening, signal);
  } catch (error) {
    opening.then((session) => session.release()).catch(() => {});
    throw error;
  }
}

/** @param {unknown} error @param {import("./assemble.js").Mounted[]} files */
const isReadFault = (error, files) =>
  error instanceof MbundleError && error.code === "session" && (files.some(({ data }) => data.lost) || /external data/i.test(error.what));
