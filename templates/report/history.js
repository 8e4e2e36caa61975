// One figure over the commits that were checked.
import { choice, filler, h, section, settled, whenWide } from "./dom.js";
import { figureOf, FIGURES } from "./format.js";
import { withTip } from "./tip.js";

const LINES = ["var(--s0)", "var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)", "var(--s6)"];

export function historySection(data) {
  const holder = section("history", "Over time");
  if (data.history.length < 2) {
    holder.append(filler("mbundle check --history .mbundle/history.jsonl", "There are fewer than two checks to compare."));
    return holder;
  }
  const area = h("div", { class: "chart" });
  const legend = h("ul", { class: "legend", "aria-label": "Variants" });
  const points = data.history.flatMap((check, index) => Object.entries(check.entries).flatMap(([entry, variants]) => Object.entries(variants).flatMap(([variant, row]) => Object.entries(row).map(([figure, value]) => ({ index, entry, variant, figure, value, commit: check.commit, time: check.time })))));
  const entries = [...new Set(points.map((point) => point.entry))];
  const known = new Set(points.map((point) => point.figure));
  const figures = [...Object.keys(FIGURES).filter((figure) => known.has(figure)), ...[...known].filter((figure) => figure.startsWith("score "))];
  const state = { entry: entries[0], figure: figures[0] };
  const redraw = whenWide(area, (width) => {
    const shown = points.filter((point) => point.entry === state.entry && point.figure === state.figure);
    const variants = [...new Set(shown.map((point) => point.variant))];
    legend.replaceChildren(...variants.map((name, index) => h("li", {}, h("i", { class: "swatch", style: { background: LINES[index % LINES.length] } }), name)));
    area.replaceChildren(lines(shown, variants, data.history, state.figure, width));
  });
  holder.append(h("div", { class: "controls" },
    choice("Entry", entries.map((name) => [name, name]), "", (name) => { state.entry = name; redraw(); }),
    choice("Figure", figures.map((name) => [name, figureOf(name).title]), "", (name) => { state.figure = name; redraw(); })), legend, area);
  return holder;
}

function lines(points, variants, history, figure, width) {
  const colour = (point) => LINES[variants.indexOf(point.variant) % LINES.length];
  const every = Math.ceil(history.length / (width < 500 ? 4 : 12));
  const chart = charts.plot({
    width, height: 260, marginLeft: 64, marginRight: 20, ariaLabel: `${figureOf(figure).title} over commits`,
    x: { label: null, ticks: history.map((_, index) => index).filter((index) => index % every === 0), tickFormat: (index) => history[index]?.commit.slice(0, 7) || String(index + 1), inset: 10 },
    y: { label: figureOf(figure).title, tickFormat: figureOf(figure).show, ticks: 5, nice: true, zero: figureOf(figure).show !== figureOf("accuracy").show },
    marks: [charts.gridY({ strokeOpacity: 0.08 }), charts.line(points, { x: "index", y: "value", z: "variant", stroke: colour, strokeWidth: 2 }), charts.dot(points, { x: "index", y: "value", r: 3.5, fill: colour, sort: null })],
  });
  settled(chart, "dot");
  [...chart.querySelectorAll("g[aria-label=dot] > *")].forEach((dot, index) => {
    const point = points[index];
    const told = [`${point.variant}: ${figureOf(figure).show(point.value)}`, point.commit.slice(0, 12), point.time].filter(Boolean);
    dot.setAttribute("tabindex", "0");
    dot.setAttribute("role", "img");
    dot.setAttribute("aria-label", told.join(", "));
    withTip(dot, () => told);
  });
  return chart;
}
