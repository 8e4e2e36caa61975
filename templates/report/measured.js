// Every figure of the benchmarks, on whatever they were taken: a column a variant, each beside the source.
import { choice, filler, h, section, table } from "./dom.js";
import { FIGURES } from "./format.js";

export function measuredSection(data) {
  const holder = section("measured", "What it takes");
  const entries = data.entries.filter((entry) => conditions(entry).length);
  if (!entries.length) {
    holder.append(filler("mbundle bench", "Nothing was measured."));
    return holder;
  }
  const controls = h("div", { class: "controls" });
  const where = h("span", {});
  const body = h("div", {});
  const show = (entry, on) => body.replaceChildren(figures(entry, on));
  const pick = (name) => {
    const entry = entries.find((one) => one.name === name);
    const found = conditions(entry);
    where.replaceChildren(choice("On", found.map((on) => [on, on]), found[0], (on) => show(entry, on)));
    show(entry, found[0]);
  };
  if (entries.length > 1) controls.append(choice("Entry", entries.map(({ name }) => [name, name]), "", pick));
  controls.append(where);
  holder.append(controls, body);
  const how = Object.entries(data.bench).map(([name, value]) => `${name} ${value}`).join(" · ");
  if (how) holder.append(h("p", { class: "dim", text: `The last benchmark: ${how}` }));
  pick(entries[0].name);
  return holder;
}

/** What an entry was measured on, in the order in which the variants tell it. */
export function conditions(entry) {
  return [entry.tradeoff, ...entry.tradeoffs].map(({ on }) => on).filter(Boolean);
}

/** The figures of a variant, or of the source, on `on`; {} where it was not measured there. */
export function measuredOn(one, on) {
  return one.benches.find((each) => each.on === on)?.figures ?? {};
}

function figures(entry, on) {
  const columns = [["source", measuredOn(entry.source, on)], ...entry.variants.map((one) => [one.name, measuredOn(one, on)])].filter(([, found]) => Object.keys(found).length);
  const source = measuredOn(entry.source, on);
  const names = Object.keys(FIGURES).filter((figure) => columns.some(([, found]) => found[figure] !== undefined));
  const rows = names.map((figure) => [FIGURES[figure].title, ...columns.map(([, found]) => cell(found[figure], found === source ? undefined : source[figure], FIGURES[figure].show))]);
  return table(`Figures of ${entry.name} on ${on}`, ["", ...columns.map(([name]) => name)], rows);
}

function cell(value, beside, show) {
  if (value === undefined) return "–";
  const ratio = beside ? h("span", { class: "ratio", text: `${(value / beside).toFixed(2)}×` }) : null;
  return h("span", { class: "number" }, show(value), ratio);
}
