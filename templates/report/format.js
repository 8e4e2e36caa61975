// Numbers as people read them. kB is 1000 bytes, as in browsers' network panels.

export function showBytes(count) {
  if (count === null || count === undefined) return "–";
  let value = count;
  let unit = "B";
  for (const next of ["kB", "MB", "GB"]) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${unit === "B" ? Math.round(value) : value.toPrecision(3)} ${unit}`;
}

export function showMs(value) {
  if (value === null || value === undefined) return "–";
  return value >= 10000 ? `${(value / 1000).toPrecision(3)} s` : `${Number(value.toPrecision(3))} ms`;
}

export function showNumber(value) {
  return value === null || value === undefined ? "–" : String(Number(value.toPrecision(4)));
}

/** Variants differ in the fifth digit, and so do the ticks of an axis between them. */
function showScore(value) {
  return value === null || value === undefined ? "–" : String(Number(value.toPrecision(6)));
}

export function showChange(before, after) {
  if (!before || after === null || after === undefined || before === after) return "";
  const percent = Math.round((100 * (after - before)) / before);
  return percent === 0 ? "" : `${percent > 0 ? "+" : "−"}${Math.abs(percent)} %`;
}

export function showShare(part, whole) {
  const percent = whole ? (100 * part) / whole : 0;
  return percent >= 10 ? `${Math.round(percent)} %` : percent >= 0.1 ? `${percent.toFixed(1)} %` : "< 0.1 %";
}

export const FIGURES = {
  bytes: { title: "size", show: showBytes },
  firstLoadBytes: { title: "first load", show: showBytes },
  wireBytes: { title: "bytes, first visit", show: showBytes },
  modelBytes: { title: "of these, the model", show: showBytes },
  warmBytes: { title: "bytes, second visit", show: showBytes },
  accuracy: { title: "accuracy", show: showScore },
  cosine: { title: "cosine with the source", show: showScore },
  latencyMs: { title: "inference", show: showMs },
  p95Ms: { title: "inference, p95", show: showMs },
  loadMs: { title: "cold load", show: showMs },
  warmMs: { title: "warm load", show: showMs },
  sessionMs: { title: "session creation", show: showMs },
  firstMs: { title: "first inference", show: showMs },
  longestMs: { title: "longest task", show: showMs },
  blockedMs: { title: "blocked (TBT)", show: showMs },
  memory: { title: "peak memory", show: showBytes },
};

/** Of a name in FIGURES, or of a further metric of a golden set: "score <its name>". */
export function figureOf(name) {
  return FIGURES[name] ?? { title: name.replace(/^score /, ""), show: showScore };
}
