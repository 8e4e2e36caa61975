// Size, latency and accuracy of all variants: two measures at a time, and all three in space.
import { choice, filler, h, section, table, whenWide } from "./dom.js";
import { livelyDots, pointColour, spreadNames } from "./dots.js";
import { FIGURES, showBytes, showMs, showNumber } from "./format.js";
import { conditions } from "./measured.js";
import { spaceView } from "./space.js";

const PLANES = [["bytes", "accuracy"], ["bytes", "latencyMs"], ["latencyMs", "accuracy"]];
const BETTER = { bytes: "smaller", latencyMs: "faster", accuracy: "higher" };

export function tradeoffSection(data) {
  const holder = section("tradeoff", "Size, latency, accuracy", "The line joins what nothing else beats on both measures: the Pareto front. Dashed lines are budgets.");
  const body = h("div", {});
  const where = h("span", {});
  const show = (name) => {
    const entry = data.entries.find((one) => one.name === name);
    const on = conditions(entry);
    const all = [entry.tradeoff, ...entry.tradeoffs];
    const draw = (wanted) => body.replaceChildren(...pictures(entry, all.find((one) => one.on === wanted) ?? entry.tradeoff));
    where.replaceChildren(...(on.length > 1 ? [choice("Times on", on.map((each) => [each, each]), on[0], draw)] : []));
    draw(on[0]);
  };
  const entries = data.entries.length > 1 ? choice("Entry", data.entries.map(({ name }) => [name, name]), "", show) : null;
  holder.append(h("div", { class: "controls" }, entries, where), body);
  show(data.entries[0].name);
  return holder;
}

function pictures(entry, picture) {
  const { points, fronts } = picture;
  const budget = limitsOn(entry, picture.on);
  const knows = (axis) => points.some((point) => point[axis] !== null);
  const planes = PLANES.filter((plane) => plane.every(knows));
  const found = planes.map((plane) => planeView(budget, plane, points, fronts[plane.join("-")]));
  if (["bytes", "latencyMs", "accuracy"].every(knows)) found.unshift(spaceView(points, fronts.all, budget));
  const rest = [h("div", { class: `planes n${found.length}` }, found)];
  if (!knows("latencyMs")) rest.push(filler("mbundle bench", "No latency was measured."));
  if (!knows("accuracy")) rest.push(filler("mbundle golden check", "No accuracy was measured."));
  const listed = points.map((point, index) => [point.name, showBytes(point.bytes), showMs(point.latencyMs), showNumber(point.accuracy),
    point.kind !== "trial" && fronts["bytes-accuracy"].includes(index) ? "on the front" : ""]);
  const trials = points.some((point) => point.kind === "trial");
  rest.push(h("details", {}, h("summary", { text: trials ? "The figures, and everything that auto tried" : "The figures" }), table("Figures", ["what", "size", "inference", "accuracy", "Pareto"], listed)));
  return rest;
}

// A budget of a time is about one device, on the network as it is.
function limitsOn(entry, on) {
  const { latencyMs, ...others } = entry.budget;
  const same = entry.variants.some((one) => one.benches.some((each) => each.on === on && each.device === entry.budgetOn.device && each.network === "" && each.cpu === 1));
  return same ? entry.budget : others;
}

function planeView(budget, [x, y], points, front) {
  const holder = h("figure", { class: "plane" }, h("figcaption", {}, `${FIGURES[x].title} × ${FIGURES[y].title}`, h("span", { class: "dim", text: ` ${BETTER[x]} and ${BETTER[y]} is better` })));
  const area = h("div", { class: "chart" });
  holder.append(area);
  const shown = points.filter((point) => point[x] !== null && point[y] !== null);
  const named = shown.filter((point) => point.kind !== "trial");
  const best = front.map((index) => points[index]).sort((one, other) => one[x] - other[x]);
  whenWide(area, (width) => {
    const chart = charts.plot({
      width, height: Math.min(340, Math.max(250, width * 0.62)), marginLeft: 58, marginRight: 28, marginBottom: 40, marginTop: 24, ariaLabel: `${FIGURES[x].title} and ${FIGURES[y].title} of each variant`,
      x: { label: FIGURES[x].title, tickFormat: FIGURES[x].show, ticks: width < 420 ? 3 : 5, nice: true, zero: x !== "accuracy", inset: 8 },
      y: { label: FIGURES[y].title, tickFormat: FIGURES[y].show, ticks: 5, nice: true, zero: y !== "accuracy", inset: 10 },
      r: { type: "identity" },
      marks: [
        charts.gridX({ strokeOpacity: 0.08 }), charts.gridY({ strokeOpacity: 0.08 }),
        ...budgetLines(budget, x, y),
        charts.line(best, { x, y, stroke: "var(--s1)", strokeWidth: 2, curve: "linear" }),
        charts.dot(shown, { x, y, r: (point) => (point.kind === "trial" ? 2.5 : 5.5), fill: (point) => (point.kind === "trial" ? "var(--page)" : pointColour(point)), stroke: pointColour, strokeWidth: 1.5, sort: null }),
        charts.text(named, { x, y, text: "name", dy: -16, fontWeight: 600, fill: "currentColor", stroke: "var(--page)", strokeWidth: 4, paintOrder: "stroke" }),
      ],
    });
    livelyDots(chart, shown);
    area.replaceChildren(chart);
    spreadNames(chart);
  });
  return holder;
}

function budgetLines(budget, x, y) {
  const dashed = { stroke: "var(--s4)", strokeDasharray: "5 4", strokeWidth: 1.5 };
  const marks = [];
  if (budget[x] !== undefined) marks.push(charts.ruleX([budget[x]], dashed), charts.text([budget[x]], { x: (value) => value, frameAnchor: "top", text: () => "budget", dx: 4, dy: -12, textAnchor: "start", fill: "var(--s4)" }));
  if (budget[y] !== undefined) marks.push(charts.ruleY([budget[y]], dashed), charts.text([budget[y]], { y: (value) => value, frameAnchor: "right", text: () => "budget", dy: -7, textAnchor: "end", fill: "var(--s4)" }));
  return marks;
}
