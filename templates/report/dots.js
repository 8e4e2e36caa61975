// The dots of the trade-off charts: what they are coloured by, and what they say.
import { showBytes, showMs, showNumber } from "./format.js";
import { withTip } from "./tip.js";

export function pointLines(point) {
  return [point.name, showBytes(point.bytes), ...(point.latencyMs === null ? [] : [showMs(point.latencyMs)]), ...(point.accuracy === null ? [] : [`accuracy ${showNumber(point.accuracy)}`])];
}

export function pointColour(point) {
  return point.kind === "source" ? "var(--s7)" : point.kind === "trial" ? "var(--s6)" : "var(--s0)";
}

// Lets every dot be reached: by pointer and by Tab, with its figures.
export function livelyDots(chart, points) {
  const dots = [...chart.querySelectorAll("g[aria-label=points] > *")];
  dots.forEach((dot, index) => {
    dot.setAttribute("tabindex", "0");
    dot.setAttribute("role", "img");
    dot.setAttribute("aria-label", pointLines(points[index]).join(", "));
    withTip(dot, () => pointLines(points[index]));
  });
}
