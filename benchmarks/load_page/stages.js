// One visit of a page with a whole or a split model.

/** @returns milliseconds to the session and to the first result, which outputs came, and the values of the first */
export async function measure({ entry, options, times }) {
  const { load } = await import(`/dist/entries/${entry}.js`);
  if (entry === "tiny") return (await load(options)).run({ x: new Float32Array(64) }).then(() => ({}));
  const ids = BigInt64Array.from({ length: 64 }, (_, index) => BigInt(1000 + 97 * index));
  const ones = new BigInt64Array(64).fill(1n);
  const feeds = { input_ids: ids, attention_mask: ones, token_type_ids: new BigInt64Array(64) };
  const dims = { dims: [1, 64] };
  const given = Object.fromEntries(Object.entries(feeds).map(([name, data]) => [name, { data, ...dims }]));
  const began = performance.now();
  const model = await load(options);
  const loaded = performance.now() - began;
  const first = await model.run(given);
  const done = performance.now() - began;
  for (let time = 1; time < times; time++) await model.run(given);
  const values = Object.values(first)[0].data;
  return { loaded, first: done, outputs: Object.keys(first), values: Array.from(values), info: model.info };
}
