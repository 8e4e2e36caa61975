// The dots of the trade-off charts: what they are coloured by, and what they say.
import { settled } from "./dom.js";
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
  settled(chart, "dot");
  const dots = [...chart.querySelectorAll("g[aria-label=dot] > *")];
  dots.forEach((dot, index) => {
    dot.setAttribute("tabindex", "0");
    dot.setAttribute("role", "img");
    dot.setAttribute("aria-label", pointLines(points[index]).join(", "));
    withTip(dot, () => pointLines(points[index]));
  });
}

// Moves names of points that lie together: above, below, right, left, whichever is free.
export function spreadNames(chart) {
  const taken = [];
  for (const name of chart.querySelectorAll("g[font-weight='600'] > text")) {
    const box = name.getBBox();
    const moves = [[0, 0], [0, 33], [box.width / 2 + 11, 16], [-box.width / 2 - 11, 16], [0, -14], [0, 41]];
    const spot = moves.map(([x, y]) => ({ x, y, at: placed(name, box, x, y) })).find(({ at }) => !taken.some((other) => overlap(at, other))) ?? { x: 0, y: 0, at: placed(name, box, 0, 0) };
    if (spot.x || spot.y) name.setAttribute("transform", `${name.getAttribute("transform") ?? ""} translate(${spot.x},${spot.y})`);
    taken.push(spot.at);
  }
}

function placed(name, box, x, y) {
  const own = name.transform.baseVal.consolidate()?.matrix ?? { e: 0, f: 0 };
  return { left: own.e + box.x + x, top: own.f + box.y + y, right: own.e + box.x + box.width + x, bottom: own.f + box.y + box.height + y };
}

function overlap(one, other) {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}
