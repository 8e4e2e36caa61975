"""The table of a benchmark: one block an entry and device, a column a variant, each figure beside the source's."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import printable
from .style import Style
from .units import duration, plural, size

_TITLE = 20
_COLUMN = 19
_MOST = 3
"""Columns that fit into 80 characters."""
_WIDTH = 80
_LINES = 4
"""Of the shapes of inputs, after the first: a decoder has dozens."""
_DEVICES = {
    "wasm": "WebAssembly, 1 thread",
    "wasm-threads": "WebAssembly, all threads",
    "webgpu": "WebGPU",
    "native": "native onnxruntime, all cores (a quick look; no browser)",
}
Row = Mapping[str, Any]


def bench_lines(bench: Row, metrics: Mapping[str, tuple[str, str]], style: Style) -> list[str]:
    """`metrics`: key -> (title, unit), in the order of the table."""
    lines: list[str] = []
    for name, entry in bench["entries"].items():
        lines += ["", *_head(name, entry, style)]
        for device in dict.fromkeys(row["device"] for row in entry["rows"]):
            rows = sorted(
                (r for r in entry["rows"] if r["device"] == device), key=lambda row: row["variant"] is not None
            )
            lines += ["", f"  {style.bold(_DEVICES.get(device, device))}", *_blocks(rows, metrics, style)]
    return [*lines, "", *_closing(bench, style)]


def _head(name: str, entry: Row, style: Style) -> Iterator[str]:
    inputs = entry["inputs"]
    shapes = ", ".join(f"{printable(key, 24)} {'x'.join(map(str, dims[1:]))}" for key, dims in inputs["shapes"].items())
    about = f"{inputs['from']} inputs: {shapes}" if inputs["from"] else f"not measured: {inputs['note']}"
    title = printable(name, 40)
    first, *more = textwrap.wrap(printable(about, 1000), _WIDTH - len(title) - 2, break_on_hyphens=False)
    yield f"{style.bold(style.cyan(title))}  {style.dim(first)}"
    yield from (style.dim(f"{'':{len(title) + 2}}{line}") for line in more[:_LINES])
    if more[_LINES:]:
        yield style.dim(f"{'':{len(title) + 2}}...")


def _blocks(rows: Sequence[Row], metrics: Mapping[str, tuple[str, str]], style: Style) -> Iterator[str]:
    source = next((row for row in rows if row["variant"] is None), None)
    variants = [row for row in rows if row["variant"] is not None]
    most = _MOST - 1 if source else _MOST
    for start in range(0, max(1, len(variants)), most):
        shown = [*([source] if source else []), *variants[start : start + most]]
        names = "".join(f"{printable(row['variant'] or 'source', _COLUMN - 2):>{_COLUMN}}" for row in shown)
        yield style.dim(f"  {'':{_TITLE}}{names}")
        for key, (title, unit) in metrics.items():
            if any(key in row["figures"] for row in shown):
                cells = "".join(_cell(row, source, key, unit) for row in shown)
                yield f"  {title:{_TITLE}}{cells}".rstrip()
    for row in rows:
        if "error" in row:
            yield style.yellow(f"  {row['variant'] or 'source'} fails: {printable(row['error'], 200)}")


def _cell(row: Row, source: Row | None, key: str, unit: str) -> str:
    found = row["figures"].get(key)
    if found is None:
        return f"{'-':>{_COLUMN}}"
    other = source["figures"].get(key) if source and row is not source else None
    ratio = _ratio(found["value"] / other["value"]) if other and other["value"] else ""
    return f"{shown(found['value'], unit):>{_COLUMN - 7}} {ratio:>6}"


def _ratio(value: float) -> str:
    return f"{value:.2f}x" if value < 99.995 else ">99x"


def shown(value: float, unit: str) -> str:
    """A figure as people read it; milliseconds with two digits that count."""
    if unit == "bytes":
        return size(round(value))
    return f"{value:.2g} ms" if value < 10 else duration(value / 1000)


def _closing(bench: Row, style: Style) -> Iterator[str]:
    settings = bench["settings"]
    count, warmup, runs = settings["rounds"], settings["warmup"], settings["runs"]
    slow = [
        settings["network"] or "No network limit",
        *([f"CPU {settings['cpu']:g}x slower"] if settings["cpu"] != 1 else []),
    ]
    after = f"{plural(runs, 'inference')} after {warmup} that are not counted"
    if bench.get("browser"):
        how = f"A visit on an empty profile, a second one with {after}. {', '.join(slow)}."
    else:
        how = f"In each, {after}."
    source = "x: of the source's figure, loaded from one URL, in the same run."
    if not bench.get("browser"):
        source = "x: of the source's figure, in the same run."
    for text in (f"Medians of {plural(count, 'round')}, all in turn. {how}", source):
        yield from map(style.dim, textwrap.wrap(text, _WIDTH))
    if bench.get("browser"):
        yield style.dim(
            f"{bench['browser']}, {bench['machine']['cores']} cores, {printable(bench['machine']['processor'], 50)}"
        )
