// The cold load, request by request.
import { choice, filler, h, section, settled, table, whenWide } from "./dom.js";
import { showBytes, showMs } from "./format.js";
import { withTip } from "./tip.js";

const KINDS = { fetch: "var(--s0)", session: "var(--s3)", run: "var(--s1)" };

export function waterfallSection(data) {
  const holder = section("waterfall", "How it loads");
  const loads = new Map(data.entries.flatMap((entry) => [...entry.variants, { ...entry.source, name: "source" }].map((one) => [`${entry.name}/${one.name}`, one.benches.filter((each) => each.load.length)])).filter(([, found]) => found.length));
  if (!loads.size) {
    holder.append(filler("mbundle bench", "No load was measured."));
    return holder;
  }
  const area = h("div", { class: "chart" });
  const list = h("div", {});
  let rows = [];
  let on = "";
  const redraw = whenWide(area, (width) => area.replaceChildren(falling(rows, width)));
  const where = h("span", {});
  const pick = (key) => {
    const found = loads.get(key);
    const kept = found.find((each) => each.on === on) ?? found[0];
    where.replaceChildren(...(found.length > 1 ? [choice("On", found.map((each) => [each.on, each.on]), kept.on, (wanted) => show(found.find((each) => each.on === wanted)))] : []));
    show(kept);
  };
  const show = (measured) => {
    on = measured.on;
    rows = measured.load.map((row, index) => ({ ...row, index }));
    list.replaceChildren(h("details", {}, h("summary", { text: "The same as a table" }), table("Load", ["what", "from", "to", "size"], rows.map((row) => [row.name, showMs(row.start), showMs(row.end), showBytes(row.bytes)]))));
    redraw();
  };
  holder.append(h("div", { class: "controls" }, choice("Variant", [...loads.keys()].map((key) => [key, key]), "", pick), where), area, list);
  pick(loads.keys().next().value);
  return holder;
}

function falling(rows, width) {
  const left = width < 500 ? 90 : 200;
  const chart = charts.plot({
    width, height: 50 + rows.length * 20, marginLeft: left, marginRight: 20, marginTop: 24, ariaLabel: "Requests of a cold load over time",
    x: { axis: "top", label: null, tickFormat: showMs, ticks: width < 500 ? 3 : 7, domain: [0, Math.max(1, ...rows.map((row) => row.end))] },
    y: { domain: rows.map((row) => row.index), label: null, tickFormat: (index) => tail(rows[index].name, width < 500 ? 14 : 30), tickSize: 0 },
    marks: [charts.gridX({ strokeOpacity: 0.08 }), charts.barX(rows, { x1: "start", x2: "end", y: "index", fill: (row) => KINDS[row.kind] ?? "var(--s7)", rx: 2, insetTop: 3, insetBottom: 3 })],
  });
  settled(chart, "bar");
  [...chart.querySelectorAll("g[aria-label=bar] > *")].forEach((bar, index) => {
    const row = rows[index];
    const lines = [row.name, `${showMs(row.start)} to ${showMs(row.end)}`, ...(row.bytes === null ? [] : [showBytes(row.bytes)])];
    bar.setAttribute("tabindex", "0");
    bar.setAttribute("role", "img");
    bar.setAttribute("aria-label", lines.join(", "));
    withTip(bar, () => lines);
  });
  return chart;
}

function tail(text, most) {
  return text.length > most ? `…${text.slice(1 - most)}` : text;
}
