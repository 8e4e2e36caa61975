// One tooltip for all charts; what it says is also in the label of the thing that it is about.
import { h } from "./dom.js";

export function showTip(event, lines) {
  const tip = document.getElementById("tip");
  tip.replaceChildren(...lines.map((line, index) => h(index === 0 ? "b" : "span", { text: line })));
  tip.hidden = false;
  const box = event.currentTarget.getBoundingClientRect();
  const x = event.clientX || box.left + box.width / 2;
  const y = event.clientY || box.top + Math.min(box.height / 2, 24);
  const left = Math.max(8, Math.min(x + 14, innerWidth - tip.offsetWidth - 8));
  const below = y + 18 + tip.offsetHeight < innerHeight;
  tip.style.left = `${left}px`;
  tip.style.top = `${Math.max(8, below ? y + 18 : y - tip.offsetHeight - 12)}px`;
}

export function hideTip() {
  document.getElementById("tip").hidden = true;
}

export function withTip(element, lines) {
  element.addEventListener("pointermove", (event) => showTip(event, lines()));
  element.addEventListener("pointerleave", hideTip);
  element.addEventListener("focus", (event) => {
    if (element.matches(":focus-visible")) showTip(event, lines());
  });
  element.addEventListener("blur", hideTip);
}
