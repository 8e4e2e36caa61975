// Errors of a build over the page that waits for it. Whatever they quote is text and never markup; the styles are those of
// a constructed sheet, which every content security policy allows; the page's own styles do not reach it.

import { STYLE } from "./overlay-style.js";

/** @typedef {import("./events.d.ts").Problem} Problem */

/** @type {HTMLElement | undefined} */
let host;

/** @param {readonly Problem[]} problems none: nothing is shown */
export function show(problems) {
  hide();
  const errors = problems.filter(({ severity }) => severity !== "warning");
  if (errors.length === 0 || !globalThis.document) return;
  host = document.createElement("mbundle-overlay");
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  shadow.adoptedStyleSheets = [sheet];
  shadow.append(make("div", "behind", [panel(errors)]));
  const behind = /** @type {HTMLElement} */ (shadow.firstChild);
  behind.addEventListener("click", (event) => event.target === behind && hide());
  (document.body ?? document.documentElement).append(host);
  document.addEventListener("keydown", escape, true);
}

export function hide() {
  host?.remove();
  host = undefined;
  globalThis.document?.removeEventListener("keydown", escape, true);
}

/** @param {KeyboardEvent} event */
function escape(event) {
  if (event.key !== "Escape") return;
  event.stopPropagation();
  hide();
}

/** @param {readonly Problem[]} errors */
function panel(errors) {
  const close = make("button", "close", ["×"]);
  close.ariaLabel = "Close";
  close.addEventListener("click", hide);
  const title = errors.length > 1 ? `${errors.length} errors` : "The build failed";
  const made = make("section", "panel", [
    make("header", "", [make("b", "", ["mbundle"]), make("span", "", [title]), close]),
    ...errors.map(article),
    make("footer", "", ["The page goes on with the last good build. Esc, or a click outside, closes this; it goes by itself when the error is mended."]),
  ]);
  made.role = "alertdialog";
  made.ariaLabel = `mbundle: ${title}`;
  return made;
}

/** @param {Problem} problem */
function article({ code, what, fix, file, line, frame, entry, step }) {
  const about = [entry, step].filter(Boolean).join(" › ");
  return make("article", "", [
    make("p", "place", [make("span", "code", [code]), ...(about ? [make("span", "about", [about])] : []), ...(file ? [make("span", "file", [line ? `${file}:${line}` : file])] : [])]),
    make("p", "what", [what]),
    ...(frame ? [make("pre", "", frameOf(frame))] : []),
    make("p", "fix", [make("b", "", ["Fix: "]), fix]),
  ]);
}

/** The lines of a code frame; the one that it is about is marked with >. @param {string} frame */
function frameOf(frame) {
  return frame.split("\n").map((text) => make("span", /^\s*>/.test(text) ? "line here" : /^[\s|]*\^+\s*$/.test(text) ? "line mark" : "line", [`${text}\n`]));
}

/** @param {string} kind @param {string} name @param {(string | Node)[]} content @returns {HTMLElement} */
function make(kind, name, content) {
  const made = document.createElement(kind);
  if (name) made.className = name;
  made.append(...content);
  return made;
}
