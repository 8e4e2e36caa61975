"""What one variant's bytes are: each tensor, the graph around them, and the chunk that brings them."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from typing import Any

from ...chunks import names
from ...emit.manifest import Variant
from ...errors import MbundleError
from ...graph.anatomy import Anatomy, Part, anatomy_of
from .layers import layer_path

INSIDE = "graph file"
"""The "chunk" of tensors that the graph file itself holds."""


def weigh(dist: str, variant: Variant, label: str) -> dict[str, Any]:
    """{"nodes", "ops", "tensors", "note"}: tensors as rows, heaviest first. Bytes that two tensors share count once."""
    path = os.path.abspath(os.path.join(dist, names.ASSETS, variant.graph.file))
    try:
        found = anatomy_of(path, label)
    except MbundleError as error:
        return {"nodes": None, "ops": {}, "tensors": [], "note": error.problems[0].what}
    rows = sorted(_rows(variant, found), key=lambda row: (-row["bytes"], row["name"]))
    return {"nodes": found.nodes, "ops": dict(found.ops), "tensors": rows, "note": ""}


def _rows(variant: Variant, found: Anatomy) -> Iterator[dict[str, Any]]:
    chunks = {data.path: data.chunks for data in variant.data}
    starts = {path: [chunk.offset for chunk in held] for path, held in chunks.items()}
    seen: set[tuple[str, int]] = set()
    inside, covered = 0, 0
    for part in found.parts:
        if not part.path:
            inside += part.nbytes
            yield _row(part, part.nbytes, INSIDE)
        elif part.path in chunks and (part.path, part.offset) not in seen:
            seen.add((part.path, part.offset))
            for index, nbytes in _cut(part, starts[part.path]):
                covered += nbytes
                yield _row(part, nbytes, chunks[part.path][index].file)
    graphs = sum(ref.nbytes for ref in variant.graphs)
    structure = graphs - inside
    if structure > 0:
        yield _other("nodes and names", structure, INSIDE)
    rest = variant.measured.nbytes - graphs - covered
    if rest > 0:
        yield _other("alignment", rest, "")


def _cut(part: Part, starts: list[int]) -> Iterator[tuple[int, int]]:
    """(index of the chunk, bytes) of each piece of a tensor."""
    at, end = part.offset, part.offset + part.nbytes
    while at < end:
        index = bisect.bisect_right(starts, at) - 1
        if index < 0:
            return
        stop = min(end, starts[index + 1]) if index + 1 < len(starts) else end
        yield index, stop - at
        at = stop


def _row(part: Part, nbytes: int, chunk: str) -> dict[str, Any]:
    return {
        "name": part.name or part.node or "unnamed",
        "layer": list(layer_path(part.name, part.node, part.op)),
        "op": part.op or "unused",
        "dtype": part.dtype,
        "shape": list(part.shape),
        "bytes": nbytes,
        "chunk": chunk,
    }


def _other(name: str, nbytes: int, chunk: str) -> dict[str, Any]:
    return {
        "name": name,
        "layer": ["(graph)"],
        "op": "(graph)",
        "dtype": "(graph)",
        "shape": [],
        "bytes": nbytes,
        "chunk": chunk,
    }
