// Ways to write tokens that are compared. Each returns a function that goes on with a text and gives the new tokens.

const build = "ort-wasm-simd-threaded";

/** @param {{dist: string, entry: string, variant: string}} given */
export async function ours({ dist, entry, variant }) {
  const { load } = await import(`${dist}models.js`);
  const model = await load(entry, { variant, device: "wasm" });
  return async (prompt, count, onToken) => (await model.generate({ input_ids: prompt, max_new_tokens: count, eos_token_id: [], onToken })).tokens;
}

/** `@huggingface/transformers` on the same graph and weights, in one file. */
export async function transformers({ folder, dtype }) {
  const { AutoModelForCausalLM, BaseStreamer, Tensor, env } = await import("@huggingface/transformers");
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: "/" });
  env.backends.onnx.wasm.wasmPaths = { mjs: `${location.origin}/hf-ort/${build}.mjs`, wasm: `${location.origin}/hf-ort/${build}.wasm` };
  const model = await AutoModelForCausalLM.from_pretrained(folder, { dtype, device: "wasm" });
  class Streamer extends BaseStreamer {
    put() {
      this.tell();
    }
    end() {}
  }
  return async (prompt, count, onToken) => {
    const input_ids = new Tensor("int64", BigInt64Array.from(prompt, BigInt), [1, prompt.length]);
    const attention_mask = new Tensor("int64", new BigInt64Array(prompt.length).fill(1n), [1, prompt.length]);
    const streamer = Object.assign(new Streamer(), { tell: onToken });
    const whole = await model.generate({ input_ids, attention_mask, max_new_tokens: count, min_new_tokens: count, do_sample: false, eos_token_id: null, streamer });
    return Array.from(whole.data, Number).slice(prompt.length);
  };
}

/** Opens a way, lets it write once, and keeps it. */
export async function open(way, options, prompt) {
  const write = await { ours, transformers }[way](options);
  await write(prompt, 8, () => {});
  window.written = write;
}

/** @returns tokens, and milliseconds from one to the next */
export async function write(prompt, count) {
  const times = [];
  const tokens = await window.written(prompt, count, () => times.push(performance.now()));
  return { tokens, steps: times.slice(1).map((time, index) => time - times[index]) };
}
