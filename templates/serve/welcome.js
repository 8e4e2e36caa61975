// The page of an output folder that no app is around. Names come from a manifest: they are only ever text.

/** @typedef {{name: string, measured: {bytes: number}}} Variant */
/** @typedef {{variants: Variant[], outputs?: unknown}} Entry */

/** @param {string} query @returns {HTMLElement} */
const the = (query) => /** @type {HTMLElement} */ (document.querySelector(query));
const size = (/** @type {number} */ bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** @param {string} kind @param {(string | Node)[]} content */
function make(kind, ...content) {
  const made = document.createElement(kind);
  made.append(...content);
  return made;
}

/** Loads the entry as a page would: what is wrong with it shows here first. @param {string} name */
function button(name) {
  const said = make("small");
  const pressed = /** @type {HTMLButtonElement} */ (make("button", "Load"));
  pressed.onclick = async () => {
    pressed.disabled = true;
    said.className = "";
    const began = performance.now();
    try {
      const { load } = await import(`${location.origin}/models.js`);
      const model = await load(name, { onProgress: (/** @type {{loaded: number, total: number}} */ { loaded, total }) => (said.textContent = `${Math.floor((100 * loaded) / (total || 1))} %`) });
      const show = () => (said.textContent = `${model.info.variant} on ${model.info.device}, ${(performance.now() - began).toFixed(0)} ms, ${size(model.info.downloaded)} fetched`);
      show();
      model.onUpdate?.(() => (said.textContent = `new build, ${size(model.info.downloaded)} fetched`));
    } catch (error) {
      said.className = "wrong";
      said.textContent = /** @type {Error} */ (error).message;
      pressed.disabled = false;
    }
  };
  return make("td", pressed, said);
}

/** @param {string} name @param {Entry} entry */
function row(name, { variants }) {
  const [first] = variants;
  return make("tr", make("td", name), make("td", variants.map((variant) => variant.name).join(", ")), make("td", first ? size(first.measured.bytes) : ""), button(name));
}

async function show() {
  const response = await fetch("/model-manifest.json");
  if (!response.ok) throw new Error("There is no build here yet. Run mbundle build.");
  /** @type {Record<string, Entry>} */
  const entries = (await response.json()).entries;
  const names = Object.keys(entries).sort();
  the("tbody").replaceChildren(...names.map((name) => row(name, /** @type {Entry} */ (entries[name]))));
  the("pre").textContent = `import { load } from "${location.origin}/models.js";\n\nconst model = await load(${JSON.stringify(names[0] ?? "name")});`;
  the("table").hidden = the("pre").hidden = false;
}

show().catch((error) => (the("#lead").textContent = error.message));
