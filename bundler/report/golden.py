"""What a golden check found, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import printable
from .style import Style
from .units import plural

Row = Mapping[str, Any]


def golden_lines(entries: Mapping[str, Row], style: Style) -> list[str]:
    """A block an entry, a line for each variant and place."""
    lines: list[str] = []
    for name, entry in entries.items():
        bar = f", at least {entry['atLeast']:g}" if entry["atLeast"] is not None else ""
        kind = "random sample" if entry["inputsFrom"] == "generated" else "sample"
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
        yield f"  {label} {_place(place, row):<16} {status} {_figures(row, entry)}".rstrip()
        if row.get("note"):
            yield style.dim(f"      {printable(row['note'], 72)}")


def _place(place: str, row: Row) -> str:
    return f"{place} (emulated)"[:16] if (row.get("adapter") or {}).get("software") else place


def _figures(row: Row, entry: Row) -> str:
    if "value" not in row:
        return ""
    shown = [] if entry["metric"] == "cosine" else [f"{printable(entry['metric'], 16)} {row['value']:.4f}"]
    shown += [f"cosine {row['cosine']:.4f}", f"error {row['maxAbs']:.1e}"]
    return "  ".join(shown)
