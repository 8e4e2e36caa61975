// @ts-check
${STYLE}import { load } from "$IMPORT";

/** @template {Element} T @param {string} id @param {new () => T} kind @returns {T} */
const find = (id, kind) => {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error("no #" + id);
  return found;
};
const state = find("state", HTMLElement);
const bar = find("bar", HTMLProgressElement);
const drop = find("drop", HTMLElement);
const sample = find("sample", HTMLButtonElement);
const result = find("result", HTMLTableElement);

const model = await load($ENTRY, {
  onProgress: ({ loaded, total }) => (bar.value = loaded / total),
}).catch(fail);
ready();
model.onUpdate?.(ready); // while you develop: a new build has taken its place

function ready() {
  const { variant, device, downloaded, fromCache } = model.info;
  const bytes = downloaded + fromCache;
  const size = bytes < 1e6 ? (bytes / 1e3).toFixed(1) + " kB " : (bytes / 1e6).toFixed(1) + " MB ";
  state.textContent = variant + " on " + device + ", " + size + (downloaded ? "downloaded" : "from this device");
  sample.disabled = false;
}

/** What the model takes, as it declares it itself; put your own data here. @param {Uint8Array | undefined} bytes of a file, if there is one */
function inputs(bytes) {
  return Object.fromEntries(model.inputs.map(({ name, dtype, shape }) => {
    const sizes = /** @type {readonly unknown[]} */ (shape ?? [1]);
    const dims = sizes.map((size, axis) => (typeof size === "number" ? size : axis === 0 ? 1 : sizes.length === 4 ? 224 : 16));
    const data = Array.from({ length: dims.reduce((all, size) => all * size, 1) }, (_, at) => value(dtype, bytes?.length ? (bytes[at % bytes.length] ?? 0) / 255 : Math.random()));
    return [name, { data, dims }];
  }));
}

/** @param {string} dtype @param {number} share from 0 to 1 */
function value(dtype, share) {
  if (dtype === "string") return "text";
  if (dtype === "bool") return share > 0.5;
  return dtype.startsWith("float") ? share : dtype.endsWith("int8") ? Math.round(share * 127) : 1;
}

/** @param {Uint8Array} [bytes] */
async function run(bytes) {
  const began = performance.now();
  const outputs = await model.run(/** @type {any} */ (inputs(bytes))).catch(fail); // without `any` your editor knows what it takes
  const took = (performance.now() - began).toFixed(1);
  result.replaceChildren(row("time", took + " ms"), ...Object.entries(outputs).map(([name, { data, dims }]) => row(name, "[" + dims.join(", ") + "]  " + Array.from(data.slice(0, 8), String).map((text) => text.slice(0, 8)).join("  ") + (data.length > 8 ? " …" : ""))));
}

/** @param {string} name @param {string} text */
function row(name, text) {
  const made = document.createElement("tr");
  const head = document.createElement("th");
  const cell = document.createElement("td");
  head.textContent = name;
  cell.textContent = text;
  made.append(head, cell);
  return made;
}

/** @param {unknown} error @returns {never} */
function fail(error) {
  state.className = "error";
  state.textContent = error instanceof Error ? error.message : String(error);
  throw error;
}

sample.addEventListener("click", () => run());
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const file = event.dataTransfer?.files[0];
  if (file) await run(new Uint8Array(await file.arrayBuffer()));
});
