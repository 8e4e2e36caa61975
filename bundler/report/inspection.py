"""`mbundle inspect` as text for 80 columns. Names come from files of strangers and are made printable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import printable
from .summary import shorten
from .units import plural, size

Row = Mapping[str, Any]
_OPS = 12


def model_lines(model: Row) -> list[str]:
    opsets = ", ".join(f"{printable(domain)} {version}" for domain, version in model["opsets"].items())
    lines = [
        f"{printable(model['path'], 400)}  {size(model['bytes'])}",
        f"  {plural(model['nodes'], 'node')}, opset {opsets}, IR {model['irVersion']}",
        f"  graph {size(model['graphBytes'])}, weights {size(model['bytes'] - model['graphBytes'])}",
        *(f"  note: {printable(note, 400)}" for note in model["notes"]),
        *_ports(model),
        "",
        f"  {'operators':<10}{_top(model['ops'])}",
        f"  {'weights':<10}{_weights(model)}",
        *(_tensor(row) for row in model["largest"]),
        "",
        f"  {plural(len(model['chunks']), 'chunk')}",
        *(f"    {size(row['bytes']):>10}  {plural(row['tensors'], 'tensor')}" for row in model["chunks"]),
    ]
    return [*lines, *([] if model["chunks"] else ["    none: the weights stay inside the graph file"])]


def manifest_lines(manifest: Row) -> list[str]:
    lines = [f"{printable(manifest['path'], 400)}  {printable(manifest['generator'])}"]
    for entry in manifest["entries"]:
        lines += ["", f"{printable(entry['name'])}  {entry['load']}", *_ports(entry)]
        lines += [f"  {printable(one['name']):<12} {size(one['bytes']):>10}" for one in entry["variants"]]
    lines += ["", *(_file(row) for row in manifest["files"])]
    return [*lines, "", _verdict(manifest["damaged"])]


def _ports(row: Row) -> Iterator[str]:
    for side in ("inputs", "outputs"):
        for port in row[side]:
            shape = "?" if port["shape"] is None else " x ".join(_dim(dim) for dim in port["shape"]) or "scalar"
            yield f"  {side[:-1]:<8}{printable(port['name'], 40)}  {port['dtype']}  {shape}"


def _dim(dim: int | str | None) -> str:
    return "?" if dim is None else printable(str(dim), 24)


def _top(ops: Mapping[str, int]) -> str:
    ranked = sorted(ops.items(), key=lambda item: (-item[1], item[0]))
    shown = "  ".join(f"{printable(name, 30)} {count}" for name, count in ranked[:_OPS])
    return f"{shown}  ..." if len(ranked) > _OPS else shown


def _weights(model: Row) -> str:
    kinds = (f"{size(nbytes)} {dtype}" for dtype, nbytes in sorted(model["weightBytes"].items()))
    return ", ".join([plural(model["weights"], "tensor"), *kinds])


def _tensor(row: Row) -> str:
    shape = " x ".join(map(str, row["shape"]))
    return f"    {size(row['bytes']):>10}  {row['dtype']:<9} {shape:<18} {shorten(printable(row['name'], 400), 34)}"


def _file(row: Row) -> str:
    users: Sequence[str] = row["users"]
    who = printable(users[0], 28) if len(users) == 1 else f"shared by {len(users)}" if users else "asset"
    return f"  {size(row['bytes']):>10}  {shorten(row['file'], 40):<40}  {who}"


def _verdict(damaged: Sequence[str] | None) -> str:
    if damaged is None:
        return "No assets folder beside the manifest: its files were not compared."
    if not damaged:
        return "Every file is there, with the digest that the manifest names."
    return f"DAMAGED: {', '.join(damaged)} missing or altered; build again."
