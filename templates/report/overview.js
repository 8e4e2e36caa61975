// The first look: each entry, what its variants weigh against the source, and whether they keep their budget.
import { h, section, table } from "./dom.js";
import { showBytes, showChange, showMs, showNumber } from "./format.js";
import { conditions } from "./measured.js";

export function overviewSection(data) {
  const holder = section("overview", "Overview");
  holder.append(...data.entries.map((entry) => card(entry)));
  return holder;
}

function card(entry) {
  const { source } = entry;
  const most = Math.max(source.bytes ?? 0, ...entry.variants.map((one) => one.bytes));
  const latency = entry.variants.some((one) => one.bench.latencyMs !== undefined);
  const packed = entry.variants.some((one) => Object.keys(one.compressed).length);
  const head = ["variant", "size", "beside the source", ...(packed ? ["compressed"] : []), "accuracy", ...(latency ? ["inference", "cold load"] : []), "budget"];
  const row = (name, bytes, kind, accuracy, bench, rest) => [
    name, showBytes(bytes), bar(bytes, most, kind, showChange(source.bytes, bytes)), ...(packed ? [rest.packed] : []), accuracy,
    ...(latency ? [showMs(bench.latencyMs), showMs(bench.loadMs)] : []), rest.budget,
  ];
  const rows = entry.variants.map((one, index) => row(one.name, one.bytes, index === 0 ? "first" : "", accuracy(one), one.bench,
    { packed: Object.entries(one.compressed).map(([kind, bytes]) => `${kind} ${showBytes(bytes)}`).join(", ") || "–", budget: index === 0 ? verdict(entry, one) : "" }));
  if (source.bytes) rows.push(row("source", source.bytes, "source", "", source.bench, { packed: "", budget: "" }));
  return h("article", { class: "card" },
    h("header", {}, h("h3", { text: entry.name }), h("p", { class: "dim", text: [source.name, `loads ${entry.load === "lazy" ? "when asked" : entry.load}`, latency && `times on ${conditions(entry)[0]}`].filter(Boolean).join(" · ") })),
    table(`Variants of ${entry.name}`, head, rows));
}

function bar(bytes, most, kind, change) {
  return h("span", { class: "bar" }, h("span", { class: "track" }, h("i", { class: kind, style: { width: `${most ? Math.max(1, (100 * bytes) / most) : 0}%` } })), h("span", { class: "beside", text: change }));
}

function accuracy(one) {
  const { value, metric, scores = {} } = one.accuracy;
  if (value === null) return "–";
  const more = Object.entries(scores).map(([name, score]) => h("span", { class: "block", text: `${showNumber(score)} ${name}` }));
  return h("span", { class: "number" }, metric ? `${showNumber(value)} ${metric}` : "as the source", more);
}

function verdict({ budget, budgetOn }, one) {
  const { scores = {}, ...limits } = budget;
  const measured = (network) => one.benches.find((each) => each.device === budgetOn.device && each.network === network && each.cpu === 1)?.figures ?? {};
  const value = (figure) => (figure === "bytes" ? one.bytes : figure === "accuracy" ? one.accuracy.value : measured(figure === "loadMs" ? budgetOn.network : "")[figure]);
  const pairs = [
    ...Object.entries(limits).map(([figure, limit]) => [value(figure), limit, figure === "accuracy"]),
    ...Object.entries(scores).map(([name, limit]) => [one.accuracy.scores?.[name], limit, true]),
  ];
  const kept = pairs.filter(([found]) => found !== undefined && found !== null).map(([found, limit, atLeast]) => (atLeast ? found >= limit : found <= limit));
  if (!kept.length) return "none";
  const good = kept.every(Boolean);
  return h("span", { class: good ? "good" : "bad", text: good ? "✓ kept" : "✗ over" });
}
