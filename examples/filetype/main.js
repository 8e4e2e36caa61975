import { load } from "./dist/entries/filetype.js";

const SIDE = 1024;
const PADDING = 256;
const BEST = 3;
const drop = document.querySelector("#drop");
const input = document.querySelector("#file");
const name = document.querySelector("#name");
const guesses = document.querySelector("#guesses");
const state = document.querySelector("#state");
const names = fetch("labels.json").then((answer) => answer.json());
const model = load({
  onProgress: ({ loaded, total }) => (state.textContent = `Loading the model: ${kilobytes(loaded)} of ${kilobytes(total)}`),
});
model.then(ready, fail);

/** The first and last 1024 bytes without white space around them, as the model was trained on. @param {File} file */
async function encoded(file) {
  const isSpace = (byte) => byte === 32 || (byte >= 9 && byte <= 13);
  const read = async (from, to) => [...new Uint8Array(await file.slice(from, to).arrayBuffer())];
  const head = await read(0, 4 * SIDE);
  const tail = await read(Math.max(0, file.size - 4 * SIDE), file.size);
  const first = head.findIndex((byte) => !isSpace(byte));
  const begin = first < 0 ? [] : head.slice(first, first + SIDE);
  const end = tail.slice(0, tail.findLastIndex((byte) => !isSpace(byte)) + 1).slice(-SIDE);
  const row = new Int32Array(2 * SIDE).fill(PADDING);
  row.set(begin);
  row.set(end, row.length - end.length);
  return row;
}

async function tell(file) {
  name.textContent = file.name;
  try {
    const bytes = await encoded(file);
    const it = await model;
    const began = performance.now();
    const { target_label } = await it.run({ bytes: { data: bytes, dims: [1, 2 * SIDE] } });
    const took = performance.now() - began;
    const labels = await names;
    const scores = [...target_label.data].map((score, at) => ({ score, label: labels[at] }));
    guesses.replaceChildren(...scores.sort((a, b) => b.score - a.score).slice(0, BEST).map(row));
    ready(it, `told in ${took.toFixed(1)} ms`);
  } catch (error) {
    fail(error);
  }
}

function row({ label, score }) {
  const [item, type, bar, percent] = ["li", "span", "i", "span"].map((tag) => document.createElement(tag));
  type.textContent = label;
  bar.style.setProperty("--score", score);
  percent.textContent = `${Math.round(score * 100)} %`;
  item.append(type, bar, percent);
  return item;
}

function ready({ info: { variant, device, downloaded, fromCache } }, more = "ready") {
  const from = downloaded ? `${kilobytes(downloaded)} downloaded` : `${kilobytes(fromCache)} from this device`;
  state.className = "";
  state.textContent = `${variant} on ${device}, ${from}; ${more}`;
}

function fail(error) {
  state.className = "bad";
  state.textContent = error.message;
}

function kilobytes(bytes) {
  return `${Math.round(bytes / 1000)} kB`;
}

input.addEventListener("change", () => input.files[0] && tell(input.files[0]));
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (event.dataTransfer.files[0]) tell(event.dataTransfer.files[0]);
});
