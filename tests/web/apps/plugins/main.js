// A page that runs a model in a loop, for as long as it is open; the tests read `window.seen`.
import * as models from "virtual:mbundle";
import one from "virtual:mbundle/scorer";

window.models = models;
window.one = one;
window.seen = { loaded: Math.random(), runs: 0, values: [], failures: [] };
const model = await models.load("scorer", { device: "wasm" });
model.onUpdate?.(() => (window.seen.updated = (window.seen.updated ?? 0) + 1));
for (;;) {
  try {
    const { y } = await model.run({ x: new Float32Array(64).fill(1) });
    window.seen.runs++;
    const value = y.data[0].toFixed(4);
    if (window.seen.values.at(-1) !== value) window.seen.values.push(value);
  } catch (error) {
    window.seen.failures.push(String(error));
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
}
