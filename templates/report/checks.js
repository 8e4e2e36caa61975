// What golden checks found, and what the build warned about.
import { filler, h, section, table } from "./dom.js";
import { showNumber } from "./format.js";

export function checksSection(data) {
  const holder = section("checks", "Checks and warnings");
  const rows = data.entries.flatMap((entry) => entry.variants.flatMap((variant) => variant.golden.map((row) => [`${entry.name}/${variant.name}`, row.provider, scores(row), h("span", { class: { ok: "good", wrong: "bad" }[row.status] ?? "dim", text: { ok: "✓ agrees", wrong: "✗ wrong" }[row.status] ?? row.status }), row.note])));
  holder.append(rows.length ? table("Golden checks", ["variant", "where", "metrics", "verdict", "why"], rows) : filler("mbundle golden check", "No variant was compared in a browser."));
  const notes = data.entries.flatMap((entry) => entry.variants.filter((variant) => variant.note).map((variant) => ({ code: `${entry.name}/${variant.name}`, what: variant.note, fix: "" })));
  const warnings = [...data.warnings, ...notes];
  if (warnings.length) holder.append(h("ul", { class: "warnings" }, warnings.map((row) => h("li", {}, h("b", { class: "warn", text: row.code }), ` ${row.what} `, h("span", { class: "dim", text: row.fix })))));
  return holder;
}

function scores(row) {
  const found = Object.keys(row.scores).length ? Object.entries(row.scores) : [[row.metric, row.value]];
  const told = found.filter(([, value]) => value !== null).map(([name, value]) => h("span", { class: "block", text: `${name} ${showNumber(value)}` }));
  return told.length ? h("span", {}, told) : "–";
}
