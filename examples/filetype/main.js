import { load } from "./dist/entries/filetype.js";

const SIDE = 1024;
const PADDING = 256;
const drop = document.querySelector("#drop");
const input = document.querySelector("#file");
const type = document.querySelector("#type");
const names = fetch("labels.json").then((answer) => answer.json());
const model = load();

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
  type.textContent = "…";
  try {
    const { target_label } = await (await model).run({ bytes: { data: await encoded(file), dims: [1, 2 * SIDE] } });
    const scores = [...target_label.data];
    const best = scores.indexOf(Math.max(...scores));
    type.textContent = `${(await names)[best]} (${Math.round(scores[best] * 100)} %)`;
  } catch (error) {
    type.textContent = error.message;
  }
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
