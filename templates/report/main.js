// Puts the page together from the data block.
import { checksSection } from "./checks.js";
import { h } from "./dom.js";
import { showBytes } from "./format.js";
import { historySection } from "./history.js";
import { measuredSection } from "./measured.js";
import { overviewSection } from "./overview.js";
import { sharedSection } from "./shared.js";
import { stepsSection } from "./steps.js";
import { tradeoffSection } from "./tradeoff.js";
import { bytesSection } from "./treemap.js";
import { unpack } from "./unpack.js";
import { waterfallSection } from "./waterfall.js";

const SCHEMES = ["auto", "light", "dark"];

function start() {
  const data = unpack(JSON.parse(document.getElementById("data").textContent));
  const main = document.getElementById("main");
  const sections = data.entries.length ? [overviewSection(data), bytesSection(data.entries), tradeoffSection(data), stepsSection(data), measuredSection(data), waterfallSection(data), sharedSection(data), historySection(data), checksSection(data)] : [emptyNote()];
  document.getElementById("top").append(...heading(data, sections));
  main.replaceChildren(...sections, h("footer", { class: "dim", text: `${data.generator}; kB is 1000 bytes. Charts: Observable Plot and D3 (ISC).` }));
}

function emptyNote() {
  return h("section", {}, h("h2", { text: "Nothing is in here yet" }), h("p", {}, "The manifest names no entry. Add one to ", h("code", { text: "model.config.py" }), " and run ", h("code", { text: "mbundle build" }), "."));
}

function heading(data, sections) {
  const total = data.files.reduce((sum, file) => sum + file.bytes, 0);
  const variants = data.entries.reduce((sum, entry) => sum + entry.variants.length, 0);
  const facts = [plural(data.entries.length, "entry", "entries"), plural(variants, "variant", "variants"), `${showBytes(total)} in ${plural(data.files.length, "file", "files")}`, data.mode, data.builtBy];
  const links = sections.filter((each) => each.id).map((each) => h("a", { href: `#${each.id}`, text: each.querySelector("h2").textContent }));
  return [h("div", { class: "title" }, h("h1", { text: data.project }), schemeButton(), h("p", { class: "dim", text: facts.filter(Boolean).join(" · ") })), h("nav", { class: "links", "aria-label": "Sections" }, links)];
}

function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}

function schemeButton() {
  let at = 0;
  const button = h("button", { type: "button", class: "scheme", on: { click: () => show(at + 1) } });
  const show = (next) => {
    at = next % SCHEMES.length;
    button.textContent = `Colours: ${SCHEMES[at]}`;
    if (at) document.documentElement.dataset.scheme = SCHEMES[at];
    else delete document.documentElement.dataset.scheme;
  };
  show(0);
  return button;
}

start();
