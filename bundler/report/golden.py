"""What a golden check found, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import printable
from .style import Style
from .units import plural

Row = Mapping[str, Any]
_WIDTH = 80
_FIGURES = 40
"""Column at which figures begin."""


def golden_lines(entries: Mapping[str, Row], style: Style) -> list[str]:
    """A block an entry, a line for each variant and place."""
    lines: list[str] = []
    for name, entry in entries.items():
        bar = f", at least {entry['atLeast']:g}" if entry["atLeast"] is not None else ""
        kind = "random sample" if entry["inputsFrom"] == "generated" else "sample"
        more = len(entry.get("bars", {})) - 1
        bar += f" and {plural(more, 'further metric')}" if more > 0 else ""
        head = f"{plural(entry['samples'], kind)}, {printable(entry['metric'], 24)}{bar}"
        lines += ["", f"{style.bold(style.cyan(printable(name, 40)))}  {style.dim(head)}"]
        for variant, row in entry["variants"].items():
            lines += _variant(printable(variant, 12), row["providers"], entry, style)
    return lines


def _variant(name: str, places: Mapping[str, Row], entry: Row, style: Style) -> Iterator[str]:
    for index, (place, row) in enumerate(sorted(places.items(), key=lambda item: item[0] != "native")):
        label = style.green(f"{name:<12}") if index == 0 else " " * 12
        paint = {"ok": style.green, "wrong": style.red}.get(row["status"], style.yellow)
        status = paint(f"{row['status']:<7}")
        first, *more = _figures(row, entry) or [""]
        yield f"  {label} {_place(place, row):<16} {status} {first}".rstrip()
        yield from (f"{'':{_FIGURES}}{line}" for line in more)
        if row.get("note"):
            yield style.dim(f"      {printable(row['note'], 72)}")


def _place(place: str, row: Row) -> str:
    return f"{place}, emulated" if (row.get("adapter") or {}).get("software") else place


def _figures(row: Row, entry: Row) -> list[str]:
    """Lines that fit beside the status."""
    if "value" not in row:
        return []
    asked = row.get("metrics", {entry["metric"]: row["value"]})
    shown = [f"{printable(name, 24)} {value:.4f}{_bar(entry, name)}" for name, value in asked.items()]
    shown += [] if "cosine" in asked else [f"cosine {row['cosine']:.4f}"]
    lines = [""]
    for one in [*shown, f"error {row['maxAbs']:.1e}"]:
        joined = f"{lines[-1]}  {one}" if lines[-1] else one
        lines = [*lines[:-1], joined] if len(joined) <= _WIDTH - _FIGURES else [*lines, one]
    return lines


def _bar(entry: Row, name: str) -> str:
    """ " (0.37)": the least that a further metric may be; the first one's stands in the heading."""
    bar = entry.get("bars", {}).get(name)
    return f" (least {bar:g})" if bar is not None and name != entry["metric"] else ""
