"""The build's closing table, from the plain data of `stats.json`: steps, files, sizes before and after.

Made for 80 columns: names are shortened from the front, numbers are aligned, kB is 1000 bytes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import printable
from ..graph.dtypes import DATA
from .style import Style
from .units import change, duration, plural, size

_WIDTH = 80
_PATH = 46
_SHOWN_FILES = 12
Row = Mapping[str, Any]


def summary_lines(stats: Row, style: Style) -> list[str]:
    """All lines of the table; `stats` is the build's result as `--json` prints it."""
    lines: list[str] = []
    for entry in stats["entries"]:
        lines += ["", *_entry(entry, style)]
    lines += ["", *_files(stats["files"], stats["outDir"], style), "", *_closing(stats, style)]
    return lines


def _entry(entry: Row, style: Style) -> Iterator[str]:
    name, total = shorten(entry["name"], 40), size(entry["bytes"])
    source = shorten(printable(entry["source"], 400), _WIDTH - len(name) - len(total) - 4)
    yield f"{style.bold(style.cyan(name))}  {style.dim(source)}  {total}"
    for note in entry["notes"]:
        yield from map(style.dim, _wrapped(note, 2))
    for variant in entry["variants"]:
        yield from _variant(entry, variant, style)


def _variant(entry: Row, variant: Row, style: Style) -> Iterator[str]:
    gain = change(entry["bytes"], variant["bytes"])
    name = printable(variant["name"], 20)
    yield f"  {style.green(f'{name:<12}')} {style.bold(size(variant['bytes'])):>10}  {style.dim(gain)}".rstrip()
    before = entry.get("dtypes", {})
    for step in variant["steps"]:
        yield from _step(step, before, style)
        before = step.get("dtypes", {})
    if "cache" in variant:
        yield style.dim(_cache(variant["cache"]))


def _cache(cache: Row) -> str:
    layers = plural(cache["layers"], "layer")
    return f"    KV cache: {size(cache['bytesPerToken'])} a token ({layers}, {cache['dtype']})"


def _step(step: Row, before: Mapping[str, int], style: Style) -> Iterator[str]:
    sizes = f"{size(step['bytesBefore']):>10} → {size(step['bytesAfter']):>9}"
    tail = [duration(step["seconds"]) if step["status"] != "cached" else "cached"]
    if step.get("maxError") is not None:
        tail.append(f"error {step['maxError']:.1e}" if step["maxError"] else "error 0")
    if step.get("metric") is not None:
        tail.append(f"metric {step['metric']:.4g}")
    bad = step["status"] in ("rolled back", "skipped")
    text = f"    {shorten(step['step'], 16):<16} {sizes}   {'  '.join(tail)}"
    yield f"{text}  {style.yellow(step['status'])}" if bad else text
    said = "; ".join(filter(None, ["" if bad else _changed(step, before), step.get("note")]))
    if said:
        yield from map(style.yellow if bad else style.dim, _wrapped(said, 6))


def _changed(step: Row, before: Mapping[str, int]) -> str:
    """The rest of what was measured; the golden metric says more than the cosine, where there is one."""
    nodes = [step.get("nodesBefore"), step.get("nodesAfter")]
    told = [f"{nodes[0]} → {nodes[1]} nodes"] if nodes[0] != nodes[1] else []
    told += filter(None, [_dtypes(before, step.get("dtypes", {}))])
    if step.get("metric") is None and step.get("cosine") is not None:
        told.append(f"cosine {step['cosine']:.4g}")
    return ", ".join(told)


def _dtypes(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """In which types the result computes, where that are others than before. Sizes and indices are left out."""
    data = {name: count for name, count in after.items() if name in DATA}
    if not before or data.keys() == before.keys() & DATA:
        return ""
    return "ops " + " + ".join(f"{count} {name}" for name, count in data.items())


def _wrapped(note: str, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        printable(note, 400), _WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )


def _files(files: Sequence[Row], out_dir: str, style: Style) -> Iterator[str]:
    shown = sorted(files, key=lambda row: (-row["bytes"], row["file"]))[:_SHOWN_FILES]
    folder = shorten(out_dir.rstrip("/") + "/", 16)
    for row in shown:
        name = shorten(row["file"], _PATH - len(folder))
        paint = {"weights": style.green, "graph": style.cyan}.get(row["kind"], style.bold)
        pad = " " * (_PATH - len(folder) - len(name) + 1)
        twins = "".join(f".{suffix} {size(nbytes)} │ " for suffix, nbytes in row.get("compressed", {}).items())
        label = style.dim("│ " + twins + shorten(row["label"], max(8, _WIDTH - _PATH - 14 - len(twins))))
        yield f"{style.dim(folder)}{paint(name)}{pad}{size(row['bytes']):>10} {label}"
    if len(files) > len(shown):
        rest = files_bytes(files) - files_bytes(shown)
        yield style.dim(f"...and {plural(len(files) - len(shown), 'smaller file')}, {size(rest)}")


def files_bytes(files: Sequence[Row]) -> int:
    return sum(int(row["bytes"]) for row in files)


def _closing(stats: Row, style: Style) -> Iterator[str]:
    if stats.get("returning") is not None:
        again, total = stats["returning"], files_bytes(stats["files"])
        yield style.dim(f"Returning visitors download {size(again)} of {size(total)}; the rest is in their cache.")
    variants = sum(len(entry["variants"]) for entry in stats["entries"])
    what = f"{plural(len(stats['entries']), 'entry', 'entries')}, {plural(variants, 'variant')}"
    if stats["fresh"]:
        yield f"{style.green('✓')} nothing changed: {what} up to date in {duration(stats['seconds'])}"
        return
    steps = stats["steps"]
    cached = f" ({steps['cached']} of {plural(steps['total'], 'step')} cached)" if steps["total"] else ""
    yield f"{style.green('✓')} built {what} in {duration(stats['seconds'])}{cached}"


def shorten(text: str, width: int) -> str:
    """Cut from the front: the end of a path tells more."""
    return text if len(text) <= width else "…" + text[-(width - 1) :]
