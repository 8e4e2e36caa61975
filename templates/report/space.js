// The three measures at once: a cube that can be turned. No well-kept library of less than a megabyte draws in space
// under a policy without eval, and there are only a few points: we turn and project them, the charting library draws.
import { h, whenWide } from "./dom.js";
import { livelyDots, pointColour, spreadNames } from "./dots.js";
import { FIGURES } from "./format.js";

const AXES = ["bytes", "latencyMs", "accuracy"];
const CORNERS = [[0, 1], [0, 2], [0, 4], [1, 3], [1, 5], [2, 3], [2, 6], [3, 7], [4, 5], [4, 6], [5, 7], [6, 7]];

export function spaceView(points, front, budget) {
  const turn = { yaw: 35, pitch: 22 };
  const area = h("div", { class: "chart space" });
  const redraw = whenWide(area, (width) => {
    const chart = drawn(points, front, budget, turn, width);
    area.replaceChildren(chart);
    spreadNames(chart);
  });
  const slider = (name, label, low, high) => {
    const input = h("input", { type: "range", min: low, max: high, value: turn[name], "aria-label": label, on: { input: () => { turn[name] = Number(input.value); redraw(); } } });
    return input;
  };
  const yaw = slider("yaw", "Turn", -90, 90);
  const pitch = slider("pitch", "Tilt", -10, 80);
  draggable(area, turn, () => { yaw.value = turn.yaw; pitch.value = turn.pitch; redraw(); });
  return h("figure", { class: "plane" }, h("figcaption", {}, "all three", h("span", { class: "dim", text: " drag, or use the sliders" })), area,
    h("div", { class: "turn" }, h("label", {}, "turn", yaw), h("label", {}, "tilt", pitch)));
}

function draggable(area, turn, changed) {
  let from = null;
  area.addEventListener("pointerdown", (event) => { from = { x: event.clientX, y: event.clientY, ...turn }; });
  addEventListener("pointerup", () => { from = null; });
  addEventListener("pointermove", (event) => {
    if (!from) return;
    turn.yaw = Math.max(-90, Math.min(90, from.yaw + (event.clientX - from.x) / 2));
    turn.pitch = Math.max(-10, Math.min(80, from.pitch + (event.clientY - from.y) / 2));
    changed();
  });
}

function drawn(points, front, budget, turn, width) {
  const shown = points.filter((point) => AXES.every((axis) => point[axis] !== null));
  const spans = AXES.map((axis) => spanOf([...shown.map((point) => point[axis]), ...(budget[axis] === undefined ? [] : [budget[axis]])], axis === "accuracy"));
  const within = (value, index) => (value - spans[index][0]) / (spans[index][1] - spans[index][0]) - 0.5;
  const place = (values) => projected(values.map(within), turn);
  const corner = (index) => projected([index & 1, (index >> 1) & 1, (index >> 2) & 1].map((bit) => bit - 0.5), turn);
  const flat = shown.map((point) => ({ point, at: place(AXES.map((axis) => point[axis])), floor: place([point.bytes, point.latencyMs, spans[2][0]]) }));
  const best = front.map((index) => flat.find(({ point }) => point === points[index])).filter(Boolean).sort((one, other) => one.point.bytes - other.point.bytes);
  const labels = [[1, 0], [2, 1], [4, 2]].map(([at, axis]) => ({ at: middle(corner(0), corner(at)), text: `${FIGURES[AXES[axis]].title} →` }));
  const limits = AXES.flatMap((axis, index) => (budget[axis] === undefined ? [] : rim(index, within(budget[axis], index)).map((line) => line.map((at) => projected(at, turn)))));
  const chart = charts.plot({
    width, height: Math.min(340, Math.max(250, width * 0.62)), margin: 18, axis: null, ariaLabel: "size, inference and accuracy of each variant in space",
    x: { domain: [-1, 1] }, y: { domain: [-0.95, 0.95] },
    marks: [
      charts.link(CORNERS, { x1: ([one]) => corner(one)[0], y1: ([one]) => corner(one)[1], x2: ([, two]) => corner(two)[0], y2: ([, two]) => corner(two)[1], stroke: "currentColor", strokeOpacity: 0.18 }),
      charts.link(limits, { x1: ([one]) => one[0], y1: ([one]) => one[1], x2: ([, two]) => two[0], y2: ([, two]) => two[1], stroke: "var(--s4)", strokeOpacity: 0.7, strokeDasharray: "5 4" }),
      charts.link(flat, { x1: (each) => each.at[0], y1: (each) => each.at[1], x2: (each) => each.floor[0], y2: (each) => each.floor[1], stroke: "currentColor", strokeOpacity: 0.35, strokeDasharray: "2 3" }),
      charts.line(best, { x: (each) => each.at[0], y: (each) => each.at[1], stroke: "var(--s1)", strokeWidth: 2 }),
      charts.dot(flat, { x: (each) => each.at[0], y: (each) => each.at[1], r: 5.5, fill: (each) => pointColour(each.point), sort: null }),
      charts.text(flat, { x: (each) => each.at[0], y: (each) => each.at[1], text: (each) => each.point.name, dy: -16, fontWeight: 600, fill: "currentColor", stroke: "var(--page)", strokeWidth: 4, paintOrder: "stroke" }),
      charts.text(labels, { x: (each) => each.at[0], y: (each) => each.at[1], text: "text", dy: 12, fill: "currentColor", fillOpacity: 0.75 }),
    ],
  });
  livelyDots(chart, flat.map(({ point }) => point));
  return chart;
}

// Where a budget cuts the cube: the four sides of a square, `at` along the axis `index`.
function rim(index, at) {
  const corners = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]].map((pair) => pair.toSpliced(index, 0, at));
  return corners.map((corner, side) => [corner, corners[(side + 1) % 4]]);
}

function spanOf(values, tight) {
  const high = Math.max(...values);
  const low = tight ? Math.min(...values) : 0;
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
}

// Turned about the vertical axis, tilted, and seen from far away. Accuracy points up.
function projected([x, z, y], { yaw, pitch }) {
  const [a, b] = [(yaw * Math.PI) / 180, (pitch * Math.PI) / 180];
  const across = x * Math.cos(a) + z * Math.sin(a);
  const depth = -x * Math.sin(a) + z * Math.cos(a);
  return [across, y * Math.cos(b) + depth * Math.sin(b)];
}

function middle(one, other) {
  return [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
}
