"""The verdicts of a check as a table of the terminal, 80 columns wide, and as text that other formats share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import printable
from .style import Style
from .summary import shorten
from .units import change, duration, plural, size

Row = Mapping[str, Any]
TITLES = {
    "size": "size",
    "first_load": "first load",
    "load": "load",
    "first_inference": "first inference",
    "latency": "latency",
    "latency_p95": "latency p95",
    "memory": "memory",
    "accuracy": "accuracy",
    "growth": "growth",
}
STATES = {
    "ok": "✓ ok",
    "close": "~ within noise",
    "warning": "! over (warns)",
    "over": "✗ over",
    "unknown": "? not measured",
}
_TRENDS = {"bytes": "size", "accuracy": "accuracy", "latencyMs": "latency"}
_BARS = "▁▂▃▄▅▆▇█"


def verdict_lines(result: Row, style: Style) -> list[str]:
    lines = [*_verdicts(result["verdicts"], style), *_changes(result, style)]
    failing = [row for row in result["verdicts"] if row["state"] in ("over", "unknown")]
    if failing:
        return [*lines, "", style.red(f"✗ {kept(result)}")]
    if not result["verdicts"]:
        return [*lines, "", "No budgets: there is nothing to keep (docs/ci.md)."]
    return [*lines, "", f"{style.green('✓')} {kept(result)}"]


def _verdicts(rows: Sequence[Row], style: Style) -> Iterator[str]:
    if not rows:
        return
    yield style.dim(f"{'':24} {'budget':<15} {'value':>11} {'limit':>10}  verdict")
    for row in rows:
        who = shorten(printable(f"{row['entry']}/{row['variant']}", 200), 24)
        paint = {"ok": style.green, "over": style.red, "unknown": style.red}.get(row["state"], style.yellow)
        verdict = paint(state_text(row))
        yield f"{who:<24} {shorten(title(row), 15):<15} {value_text(row):>11} {limit_text(row):>10}  {verdict}"
        if row["unit"] == "ms" and "value" in row and row["low"] < row["high"]:
            yield style.dim(f"{'':40} {amount(row['low'], 'ms')} to {amount(row['high'], 'ms')}")
        if row["state"] == "unknown":
            yield style.dim(f"{'':25}{row.get('note', '')}")


def kept(result: Row) -> str:
    """ "3 of 4 budgets are kept"."""
    rows = result["verdicts"]
    return f"{sum(row['state'] not in ('over', 'unknown') for row in rows)} of {plural(len(rows), 'budget')} kept"


def title(row: Row) -> str:
    """ "load @ 4g"; an accuracy that is not the first is called by its metric."""
    note = row.get("note", "")
    if row.get("metric"):
        return printable(row["metric"], 40)
    return TITLES[row["name"]] + (f" {note}" if note.startswith("@") else "")


def _changes(result: Row, style: Style) -> Iterator[str]:
    for entry, found in result["entries"].items():
        for variant, row in found.items():
            who = shorten(printable(f"{entry}/{variant}", 200), 24)
            yield ""
            yield f"{style.bold(style.cyan(who))}  {size(row['bytes'])}{_against(row)}"
            if trends := trend(row):
                yield style.dim(f"  {trends}")
            if row.get("baseBytes") is not None:
                yield style.dim(f"  a returning visitor downloads {size(row['returning'])}")
            for file, nbytes in largest(row.get("newFiles", {}), 3):
                yield style.dim(f"    {size(nbytes):>10}  {shorten(file, 60)}")


def _against(row: Row) -> str:
    if row.get("baseBytes") is None:
        return ""
    return f"  {change(row['baseBytes'], row['bytes']) or '±0 %'} against the base"


def trend(row: Row) -> str:
    """ "size ▁▁▃█, accuracy ▁▁▁▁ over 4 checks"; empty without a history."""
    known = {key: values for key, values in row["trend"].items() if values}
    shown = [f"{_TRENDS[key]} {bars(values)}" for key, values in known.items() if key in _TRENDS]
    return f"{', '.join(shown)} over {max(map(len, known.values()))} checks" if shown else ""


def bars(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    span = (high - low) or 1
    return "".join(
        _BARS[round((value - low) / span * (len(_BARS) - 1))] if high > low else _BARS[0] for value in values
    )


def largest(files: Mapping[str, int], most: int) -> list[tuple[str, int]]:
    return sorted(files.items(), key=lambda item: (-item[1], item[0]))[:most]


def value_text(row: Row) -> str:
    return amount(row["value"], row["unit"]) if "value" in row else "-"


def state_text(row: Row) -> str:
    """An accuracy that is not enough is not over, it is below."""
    return STATES[row["state"]].replace("over", "below") if row["unit"] == "score" else STATES[row["state"]]


def limit_text(row: Row) -> str:
    return amount(row["limit"], row["unit"])


def amount(value: float, unit: str) -> str:
    if unit == "bytes":
        return size(round(value))
    if unit == "percent":
        return f"{value * 100:+.2f} %" if value else "0 %"
    if unit == "score":
        return f"{value:.4g}"
    return f"{value:.2g} ms" if value < 10 else duration(value / 1000)
