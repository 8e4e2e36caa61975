"""The answer of `mbundle why`, for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import printable
from .style import Style
from .summary import shorten
from .units import plural, size

Row = Mapping[str, Any]
_WIDTH = 80
_SHOWN = 8


def why_lines(answer: Row, style: Style) -> list[str]:
    """All lines for one answer of `measure.why`."""
    kinds = {"bytes": _bytes, "chunk": _chunk, "op": _op, "tensor": _tensor}
    return list(kinds[answer["kind"]](answer, style))


def _tensor(answer: Row, style: Style) -> Iterator[str]:
    yield style.bold(style.cyan(shorten(printable(answer["name"], 400), _WIDTH)))
    for place in answer["places"]:
        shape = " x ".join(map(str, place["shape"])) or "scalar"
        what = f"{place['dtype']}  {shape}  {size(place['bytes'])}"
        yield f"  {_variant(place, style)}  {what}"
        yield from _wrapped(_reason(place), 4)
        for chunk in place["chunks"][:_SHOWN]:
            yield style.dim(f"    {size(chunk['bytes']):>10}  {shorten(chunk['file'], 24)}  {_users(chunk['users'])}")
        if not place["chunks"]:
            yield style.dim("    in the graph file itself: it is small")
        if len(place["chunks"]) > _SHOWN:
            yield style.dim(f"    ...and {plural(len(place['chunks']) - _SHOWN, 'more chunk')}")
    yield from _absent(answer["absent"], style)


def _variant(place: Row, style: Style) -> str:
    return style.green(f"{shorten(printable(place['variant'], 400), 24):<24}")


def _reason(place: Row) -> str:
    readers = ", ".join(f"{printable(op, 40)}{f' ({n} times)' if n > 1 else ''}" for op, n in place["readBy"].items())
    made = f"; made by {' → '.join(place['steps'])}" if place["steps"] else ""
    return f"{f'{readers} reads it' if readers else 'no operator reads it by name'}{made}"


def _chunk(answer: Row, style: Style) -> Iterator[str]:
    yield f"{style.bold(style.cyan(shorten(answer['file'], 60)))}  {size(answer['bytes'])}"
    yield from _wrapped(_users(answer["users"]), 2)
    if answer["graph"]:
        ops = sum(answer["ops"].values())
        yield f"  the graph: {plural(ops, 'operator')}, {size(answer['inline'])} of small weights"
    for tensor in answer["tensors"][: _SHOWN * 2]:
        part = "" if tensor["bytes"] == tensor["of"] else f" of {size(tensor['of'])}"
        by = printable(next(iter(tensor["readBy"]), "nobody"), 16)
        yield f"  {size(tensor['bytes']):>10}{part}  {shorten(printable(tensor['name'], 400), 40)}  {style.dim(by)}"
    rest = answer["tensors"][_SHOWN * 2 :]
    if rest:
        yield style.dim(f"  ...and {plural(len(rest), 'smaller tensor')}, {size(sum(one['bytes'] for one in rest))}")


def _op(answer: Row, style: Style) -> Iterator[str]:
    yield style.bold(style.cyan(printable(answer["name"], _WIDTH)))
    for place in answer["places"]:
        weights = f"reads {plural(place['weights'], 'weight')}, {size(place['bytes'])}"
        reads = weights if place["weights"] else "no weights"
        yield f"  {_variant(place, style)}  {plural(place['nodes'], 'node')}, {reads}"
        for one in place["largest"][:3]:
            yield style.dim(f"    {size(one['bytes']):>10}  {shorten(printable(one['name'], 400), 60)}")
    if answer["broughtBy"]:
        yield f"  brought by {', '.join(answer['broughtBy'])}"
    yield from _absent(answer["absent"], style)


def _bytes(answer: Row, style: Style) -> Iterator[str]:
    yield f"{style.bold(size(answer['stored']))} of graphs and weights, each file once"
    for row in answer["variants"]:
        shared = f", {size(row['shared'])} of it shared with other variants" if row["shared"] else ""
        yield f"  {style.green(shorten(row['variant'], 30))}  {size(row['bytes'])}{shared}"
        kinds = [f"{size(n)} {dtype}" for dtype, n in row["dtypes"].items() if n]
        yield from _wrapped(", ".join([*kinds[:4], f"graph file {size(row['graph'])}"]), 4)
        readers = [f"{printable(op, 30)} {size(n)}" for op, n in row["readers"].items() if n][:4]
        yield from map(style.dim, _wrapped(f"for {', '.join(readers)}", 4) if readers else ())
        for one in row["largest"][:3]:
            yield style.dim(f"    {size(one['bytes']):>10}  {shorten(printable(one['name'], 400), 60)}")


def _users(users: Sequence[str]) -> str:
    if len(users) == 1:
        return f"{printable(users[0], 40)} alone"
    return f"shared by {', '.join(printable(one, 40) for one in users[:4])}{' and others' if len(users) > 4 else ''}"


def _absent(names: Sequence[str], style: Style) -> Iterator[str]:
    if names:
        yield from map(style.dim, _wrapped(f"not in {', '.join(printable(one, 40) for one in names)}", 2))


def _wrapped(text: str, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(text, _WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
