// The ways from a URL to a first result that are compared. Each returns a function that runs the model once.

/** `InferenceSession.create(url)`, as onnxruntime-web's documentation shows it. */
export async function url({ source, feeds }) {
  const ort = await import("onnxruntime-web/wasm");
  return runOf(ort, await ort.InferenceSession.create(source), feeds);
}

/** `@huggingface/transformers`, with its defaults for wasm, on the same file. */
export async function transformers({ folder, feeds }) {
  const { AutoModel, Tensor, env } = await import("@huggingface/transformers");
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: "/" });
  const build = "ort-wasm-simd-threaded.asyncify";
  env.backends.onnx.wasm.wasmPaths = { mjs: `${location.origin}/hf-ort/${build}.mjs`, wasm: `${location.origin}/hf-ort/${build}.wasm` };
  const model = await AutoModel.from_pretrained(folder, { dtype: "fp32", device: "wasm" });
  return () => model(tensors(Tensor, feeds));
}

/** What it cannot be done without: every file fetched at once, nothing checked or kept, a session from memory. */
export async function floor({ files, dist, entry, feeds }) {
  const started = import("onnxruntime-web/wasm");
  const { entries } = await (await fetch(`${dist}model-manifest.json`)).json();
  const { graph, data } = entries[entry].variants[0];
  const bytes = async ({ file }) => new Uint8Array(await (await fetch(`${dist}assets/${file}`)).arrayBuffer());
  const whole = async ({ path, bytes: size, chunks }) => {
    const buffer = new Uint8Array(size);
    await Promise.all(chunks.map(async (chunk) => buffer.set(await bytes(chunk), chunk.offset)));
    return { path, data: buffer };
  };
  const [ort, model, ...externalData] = await Promise.all([started, bytes(graph), ...data.map(whole)]);
  return runOf(ort, await ort.InferenceSession.create(model, { externalData }), feeds);
}

export async function ours({ dist, entry, worker, feeds }) {
  const { load } = await import(`${dist}models.js`);
  const model = await load(entry, { worker });
  const run = () => model.run(Object.fromEntries(feeds.map(({ name, data, dims }) => [name, { data, dims }])));
  return Object.assign(run, { end: () => model.dispose() });
}

function runOf(ort, session, feeds) {
  return () => session.run(tensors(ort.Tensor, feeds));
}

const tensors = (Tensor, feeds) => Object.fromEntries(feeds.map(({ name, dtype, data, dims }) => [name, new Tensor(dtype, data, dims)]));

const ARRAYS = { float32: Float32Array, int64: BigInt64Array, int32: Int32Array };

/** @returns milliseconds to the session and to the first result, and the long tasks of the main thread until then */
export async function measure({ way, ...options }) {
  const tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  const feeds = options.inputs.map(({ name, dtype, dims }) => {
    const data = new ARRAYS[dtype](dims.reduce((all, size) => all * size, 1)).fill(dtype === "int64" ? 1n : 1);
    return { name, dtype, dims, data };
  });
  const began = performance.now();
  const run = await { url, transformers, floor, ours }[way]({ ...options, feeds });
  const session = performance.now() - began;
  await run();
  const first = performance.now() - began;
  await new Promise((done) => setTimeout(done, 300)); // long tasks are told late
  await run.end?.(); // ours waits for what is stored behind the session: its memory counts, its time does not
  return { session, first, longest: Math.max(0, ...tasks), tasks: tasks.length };
}
