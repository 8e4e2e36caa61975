// @ts-check

import { Search } from "./search.js";
import { find, showFound, showIdeas, showProgress, showSource, showTrouble } from "./view.js";

const query = find("query", HTMLInputElement);
const search = new Search(showFound, showTrouble);

query.value = new URLSearchParams(location.search).get("q") ?? "";
query.addEventListener("input", () => ask(query.value));
find("form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  ask(query.value, 0);
});
find("retry", HTMLButtonElement).addEventListener("click", () => (search.model ? ask(query.value, 0) : location.reload()));
showIdeas((text) => {
  query.value = text;
  ask(text, 0);
});
start();

async function start() {
  try {
    const controlled = offlineReady();
    find("count", HTMLElement).textContent = `all ${(await search.open()).toLocaleString("en")} of Lucide’s icons`;
    search.want(query.value, 0);
    await controlled;
    showSource(await search.read({ onProgress: showProgress }));
    navigator.serviceWorker?.controller?.postMessage("keep");
  } catch (error) {
    showTrouble(error);
  }
}

/** @param {string} text @param {number} [pause] */
function ask(text, pause) {
  const url = new URL(location.href);
  if (text.trim()) url.searchParams.set("q", text.trim());
  else url.searchParams.delete("q");
  history.replaceState(null, "", url);
  search.want(text, pause);
}

/** Until the service worker sees what the page fetches, so that it has onnxruntime's wasm for the next visit; not for long. */
async function offlineReady() {
  const workers = navigator.serviceWorker;
  if (!import.meta.env.PROD || !workers || workers.controller) return;
  const taken = new Promise((done) => workers.addEventListener("controllerchange", done, { once: true }));
  await workers.register("./sw.js").catch((error) => console.info("no offline use:", error));
  await Promise.race([taken, new Promise((done) => setTimeout(done, 2000))]);
}
