"""The report in short, as Markdown. Names are shown as code, with what Markdown and HTML would act on taken out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...errors import printable
from ..units import change, duration, plural, size

_TOP = 8


def as_markdown(data: dict[str, Any]) -> str:
    lines = [f"# {_code(data['project'])}", ""]
    for entry in data["entries"]:
        lines += [*_entry(entry), ""]
    lines += _shared(data["files"])
    lines += [f"`{command}` fills: {section}." for section, command in data["missing"].items()]
    return "\n".join(lines).rstrip() + "\n"


def _entry(entry: dict[str, Any]) -> Iterator[str]:
    source = entry["source"]
    whole = int(source["bytes"] or 0)
    yield f"## {_code(entry['name'])}" + (f": {_code(source['name'])}, {size(whole)}" if whole else "")
    yield ""
    if on := entry["tradeoff"]["on"]:
        yield f"Times: {on}."
        yield ""
    yield "| variant | size | change | accuracy | inference | load |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    best = set(entry["tradeoff"]["fronts"]["bytes-accuracy"])
    for index, one in enumerate(entry["variants"]):
        name = _code(one["name"]) + (" (Pareto)" if index in best else "")
        bench = (_ms(one["bench"].get(key)) for key in ("latencyMs", "loadMs"))
        cells = [name, size(one["bytes"]), change(whole, one["bytes"]), _accuracy(one), *bench]
        yield f"| {' | '.join(cells)} |"
    first = entry["variants"][0]
    if first["tensors"]:
        yield ""
        yield f"Heaviest tensors of {_code(first['name'])}:"
        yield ""
        yield from _table(("tensor", "op", "dtype", "size"), (_tensor(row) for row in first["tensors"][:_TOP]))
    for one in entry["variants"]:
        if one["steps"]:
            yield ""
            yield f"Steps of {_code(one['name'])}:"
            yield ""
            yield from _table(("step", "size", "nodes", "time", "status"), (_step(row) for row in one["steps"]))


def _table(head: tuple[str, ...], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _tensor(row: dict[str, Any]) -> list[str]:
    return [_code(row["name"]), _code(row["op"]), _code(row["dtype"]), size(row["bytes"])]


def _step(row: dict[str, Any]) -> list[str]:
    sizes = " → ".join(size(int(row[key] or 0)) for key in ("bytesBefore", "bytesAfter"))
    nodes = " → ".join(f"{row[key] or 0:g}" for key in ("nodesBefore", "nodesAfter"))
    return [_code(row["step"]), sizes, nodes, duration(row["seconds"] or 0), row["status"]]


def _shared(files: list[dict[str, Any]]) -> list[str]:
    several = [row for row in files if len(row["users"]) > 1]
    total = sum(row["bytes"] for row in files)
    if not several:
        return [f"{plural(len(files), 'file')}, {size(total)}; none is shared.", ""]
    saved = sum(row["bytes"] * (len(row["users"]) - 1) for row in several)
    return [f"{plural(len(files), 'file')}, {size(total)}; {len(several)} are shared, which saves {size(saved)}.", ""]


def _accuracy(one: dict[str, Any]) -> str:
    more = [f"{_code(name)} {_number(value)}" for name, value in one["accuracy"].get("scores", {}).items()]
    return ", ".join([_number(one["accuracy"]["value"]), *more])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.4g} ms"


def _code(text: str) -> str:
    clean = printable(text, 80).replace("`", "'").replace("|", "\\|")
    return f"`{clean}`" if clean.strip() else ""
