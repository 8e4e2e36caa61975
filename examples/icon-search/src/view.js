// @ts-check
// All that touches the document.

/** @typedef {import("./words.js").Icon} Icon */

const SVG = "http://www.w3.org/2000/svg";
const LOOK = { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linecap": "round", "stroke-linejoin": "round" };
const IDEAS = ["money", "something is broken", "party", "cheap flights", "forgot my password", "hungry", "bad weather"];

/** @template {Element} T @param {string} id @param {new () => T} kind @returns {T} */
export function find(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no #${id}`);
  return found;
}

const query = find("query", HTMLInputElement);
const grid = find("icons", HTMLUListElement);
const ideas = find("ideas", HTMLUListElement);
const status = find("status", HTMLElement);
const toast = find("copied", HTMLElement);
const loading = find("loading", HTMLElement);
const trouble = find("trouble", HTMLElement);
let hiding = 0;

/** @param {import("./search.js").Found} found */
export function showFound({ text, icons, took, by }) {
  trouble.hidden = true;
  grid.replaceChildren(...icons.map(tile));
  ideas.hidden = text !== "";
  const many = `${icons.length} ${icons.length === 1 ? "icon" : "icons"}`;
  const way = { all: "A few of them. Type what you mean.", words: icons.length ? `${many} whose words match` : "Nothing by plain words; the model comes", meaning: `The ${many} nearest, in ${took < 1 ? "<1" : Math.round(took)} ms` };
  status.textContent = way[by];
  grid.dataset.query = text;
  grid.dataset.by = by;
}

/** @param {Icon} icon */
function tile(icon) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const name = document.createElement("span");
  button.type = "button";
  button.title = icon.tags.slice(0, 8).join(", ");
  button.dataset.name = icon.name;
  name.textContent = icon.name;
  button.append(drawn(icon), name);
  button.addEventListener("click", () => copy(icon, button));
  item.append(button);
  return item;
}

/** @param {Icon} icon */
function drawn({ nodes }) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries(LOOK)) svg.setAttribute(name, value);
  for (const [tag, attributes] of nodes) {
    const part = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
    svg.append(part);
  }
  return svg;
}

/** @param {Icon} icon @param {HTMLButtonElement} button */
async function copy(icon, button) {
  const svg = drawn(icon);
  svg.removeAttribute("aria-hidden");
  svg.setAttribute("width", "24");
  svg.setAttribute("height", "24");
  try {
    await navigator.clipboard.writeText(new XMLSerializer().serializeToString(svg));
    tell(`Copied ${icon.name}`);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1200);
  } catch {
    tell("This browser does not let the page copy.");
  }
}

/** @param {string} text */
function tell(text) {
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (toast.hidden = true), 2000);
}

/** @param {(text: string) => void} choose */
export function showIdeas(choose) {
  const made = IDEAS.map((text) => {
    const [item, button] = [document.createElement("li"), document.createElement("button")];
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => choose(text));
    item.append(button);
    return item;
  });
  ideas.replaceChildren(...made);
}

/** @param {{ phase: string, loaded: number, total: number, fromCache: number }} progress */
export function showProgress({ phase, loaded, total, fromCache }) {
  loading.hidden = phase === "ready";
  find("progress", HTMLProgressElement).value = total ? loaded / total : 0;
  const here = fromCache > 0 ? `, ${megabytes(fromCache)} of it from this device` : "";
  find("bytes", HTMLElement).textContent = phase === "session" ? "starting…" : `${megabytes(loaded)} of ${megabytes(total)}${here}`;
}

/** @param {{ variant: string, device: string, downloaded: number, fromCache: number }} info */
export function showSource({ variant, device, downloaded, fromCache }) {
  loading.hidden = true;
  const from = [downloaded && `${megabytes(downloaded)} downloaded`, fromCache && `${megabytes(fromCache)} from this device`].filter(Boolean).join(", ");
  const source = find("source", HTMLElement);
  source.textContent = `${from} · ${variant} on ${device === "webgpu" ? "WebGPU" : "WebAssembly"}`;
  source.dataset.ready = String(downloaded);
}

/** @param {unknown} error */
export function showTrouble(error) {
  loading.hidden = true;
  trouble.hidden = false;
  const code = /** @type {any} */ (error)?.code;
  const said = error instanceof Error ? error.message : String(error);
  const text = code === "offline" || code === "network" ? "The model could not be fetched: you seem to be offline. What has come so far is kept." : code === "stale-build" ? "There is a newer version of this page." : said;
  find("trouble-text", HTMLElement).textContent = text;
}

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = document.activeElement;
  if (event.key === "/" && at !== query) {
    event.preventDefault();
    query.select();
  } else if (at === query && event.key === "ArrowDown") move(event, 0);
  else if (at instanceof HTMLElement && grid.contains(at)) {
    const [tiles, columns] = [[...grid.querySelectorAll("button")], getComputedStyle(grid).gridTemplateColumns.split(" ").length];
    const here = tiles.indexOf(/** @type {HTMLButtonElement} */ (at));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (event.key === "Escape" || (event.key === "ArrowUp" && here < columns)) query.select();
    else if (step) move(event, here + step);
  }
});

/** @param {KeyboardEvent} event @param {number} to */
function move(event, to) {
  event.preventDefault();
  grid.querySelectorAll("button")[to]?.focus();
}
