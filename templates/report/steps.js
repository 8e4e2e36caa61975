// What each loader step made of the model.
import { choice, filler, h, section, table } from "./dom.js";
import { showBytes, showChange, showNumber } from "./format.js";

export function stepsSection(data) {
  const holder = section("steps", "Before and after each step");
  const variants = data.entries.flatMap((entry) => entry.variants.map((variant) => ({ key: `${entry.name}/${variant.name}`, entry, variant }))).filter(({ variant }) => variant.steps.length);
  if (!variants.length) {
    holder.append(filler("mbundle build", "There is no record of loader steps beside this folder."));
    return holder;
  }
  const body = h("div", {});
  const show = (key) => body.replaceChildren(...chain(variants.find((one) => one.key === key)));
  holder.append(h("div", { class: "controls" }, choice("Variant", variants.map(({ key }) => [key, key]), "", show)), body);
  show(variants[0].key);
  return holder;
}

function chain({ entry, variant }) {
  const stages = [{ step: "source", bytesAfter: variant.steps[0].bytesBefore, nodesAfter: variant.steps[0].nodesBefore, ops: entry.source.ops, dtypes: entry.source.dtypes, weights: entry.source.weights }, ...variant.steps];
  const most = Math.max(...stages.map((stage) => stage.bytesAfter ?? 0));
  const kinds = [...new Set(stages.flatMap((stage) => Object.keys(stage.weights)))];
  const key = h("ul", { class: "legend", "aria-label": "Colours" }, kinds.map((kind, index) => h("li", {}, h("i", { class: `swatch c${index % 7}` }), kind)));
  const rows = stages.map((stage, index) => [
    stage.step, showBytes(stage.bytesAfter), stack(stage, kinds, most, index ? showChange(stages[index - 1].bytesAfter, stage.bytesAfter) : ""),
    change(index ? stages[index - 1].nodesAfter : null, stage.nodesAfter), index ? seconds(stage) : "", index ? agreement(stage) : "",
    h("span", { class: "notes" }, stage.status && !["ok", "cached"].includes(stage.status) ? h("b", { class: "warn", text: `${stage.status} ` }) : null, stage.note ?? "", index ? operators(stages[index - 1].ops, stage.ops) : null, index ? dtypes(stages[index - 1].dtypes, stage.dtypes) : null),
  ]);
  return [key, table(`Steps of ${entry.name}/${variant.name}`, ["step", "size", "weights by dtype", "nodes", "time", "agreement", "what changed"], rows)];
}

function stack(stage, kinds, most, text) {
  const parts = kinds.map((kind, index) => [stage.weights[kind] ?? 0, index % 7]).filter(([bytes]) => bytes > 0);
  const known = parts.length ? parts : [[stage.bytesAfter ?? 0, 7]];
  return h("span", { class: "bar" }, h("span", { class: "track" }, known.map(([bytes, index]) => h("i", { class: `c${index}`, style: { width: `${most ? (100 * bytes) / most : 0}%` } }))), h("span", { class: "beside", text }));
}

function change(before, after) {
  return before === null || before === after || before === undefined ? showNumber(after) : `${showNumber(before)} → ${showNumber(after)}`;
}

function seconds(stage) {
  const time = stage.seconds === null ? "–" : stage.seconds < 1 ? `${Math.round(stage.seconds * 1000)} ms` : `${stage.seconds.toFixed(1)} s`;
  return stage.status === "cached" ? `${time} (now cached)` : time;
}

function agreement(stage) {
  const found = [];
  if (stage.metric !== null) found.push(`metric ${showNumber(stage.metric)}`);
  if (stage.cosine !== null) found.push(`cosine ${showNumber(stage.cosine)}`);
  if (stage.maxError !== null) found.push(`error ${Number(stage.maxError.toPrecision(2))}`);
  return h("span", { class: "notes", text: found.join(", ") || "–" });
}

// In how many nodes of which type the result computes, where a step changed that.
function dtypes(before, after) {
  const names = Object.keys(after);
  if (!names.length || [...new Set([...Object.keys(before), ...names])].every((name) => before[name] === after[name])) return null;
  return h("span", { class: "dim block", text: `computes in ${names.map((name) => `${name} ${showNumber(after[name])}`).join(", ")}` });
}

function operators(before, after) {
  if (!Object.keys(before).length || !Object.keys(after).length) return null;
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const moved = names.map((name) => [name.split("::").pop(), (after[name] ?? 0) - (before[name] ?? 0)]).filter(([, by]) => by).sort((one, other) => Math.abs(other[1]) - Math.abs(one[1]));
  if (!moved.length) return null;
  const text = moved.slice(0, 6).map(([name, by]) => `${name} ${by > 0 ? "+" : "−"}${Math.abs(by)}`).join(", ");
  return h("span", { class: "dim block", text: moved.length > 6 ? `${text}, …` : text });
}
