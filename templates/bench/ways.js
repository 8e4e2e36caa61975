// The two ways to a model that are measured: the emitted module of an entry, and the source file from one URL, as
// onnxruntime-web's documentation shows it. Both import the same onnxruntime-web and use as many threads.

/** @typedef {{run: (feeds: Record<string, any>) => Promise<Record<string, any>>, dispose: () => Promise<void>, built: number | undefined, info: Record<string, any>}} Opened  `built`: when the session began to be made, on performance.now()'s clock */
/** @typedef {{url: string, wasm: string | null}} Build  `wasm`: null: beside the module, under its own name */
/** @typedef {{threads: number, device: "wasm" | "webgpu", ort: {wasm: Build, jspi: Build, webgpu: Build}}} Machine */

/** As the runtime chooses. @param {Machine} machine @returns {Build} */
const buildFor = ({ device, ort }) => ort[device === "webgpu" && "Suspending" in WebAssembly ? "jspi" : device];

/** @param {Machine} machine */
async function importOrt(machine) {
  const { url, wasm } = buildFor(machine);
  const ort = await import(url);
  if (wasm) ort.env.wasm.wasmPaths ??= { wasm };
  ort.env.wasm.numThreads = machine.threads;
  return ort;
}

/**
 * @param {Machine & {module: string, variant: string | null, worker?: boolean}} options
 * @returns {Promise<Opened>}
 */
export async function emitted(options) {
  const { module, variant, device } = options;
  const { load } = await import(module);
  /** @type {number | undefined} */
  let built;
  const onProgress = (/** @type {{phase: string}} */ { phase }) => {
    if (phase === "session") built = performance.now();
  };
  const model = await load({ device, onProgress, ort: () => importOrt(options), ...(variant ? { variant } : {}) });
  return { run: (feeds) => model.run(feeds), dispose: () => model.dispose(), built, info: model.info };
}

/**
 * @param {Machine & {source: string}} options
 * @returns {Promise<Opened>}
 */
export async function source(options) {
  const ort = await importOrt(options);
  const url = new URL(options.source, location.href).href;
  const session = await ort.InferenceSession.create(url, { executionProviders: [options.device] });
  const [entry] = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByName(url).slice(-1));
  return {
    run: async (feeds) => {
      const tensors = Object.fromEntries(Object.entries(feeds).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)]));
      const outputs = Object.entries(await session.run(tensors));
      return Object.fromEntries(await Promise.all(outputs.map(async ([name, tensor]) => [name, { type: tensor.type, dims: tensor.dims, data: await tensor.getData() }])));
    },
    dispose: () => session.release(),
    built: entry?.responseEnd || undefined,
    info: { variant: null, device: options.device },
  };
}
