"""Unstructured pruning: the smallest weights of each product become zero, in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from typing import Any

from ...graph.edit import Edit
from ...graph.model import Model, Region, Weight
from ...graph.visit import nodes
from ...squeeze import FOR_WEIGHTS, LIBRARIES, Encoding, encoded, left_of
from ..blockwise import ROW_INPUTS
from ..kernels import magnitude
from ..kernels.output import Output
from ..kernels.tiles import Matrix, Workers
from ..origin import Origins

_SAMPLED = 16
"""Weights that the wire is estimated on: the largest."""


@dataclass(frozen=True, slots=True)
class Sparse:
    """`pairs`: each weight before and after. `wire`: encoder and the shares that it leaves of their bytes before and
    after, None when no encoder is installed."""

    model: Model
    pairs: tuple[tuple[Region, Region], ...]
    weights: int
    zeros: int
    wire: tuple[Encoding, float, float] | None


def sparse(model: Model, scratch: str, share: float, wanted: frozenset[str]) -> Sparse | None:
    """The model with `share` of the values of each weight of a product made zero. None: it has no such weight, or as
    many are zero already."""
    edit = Edit(model, scratch)
    names = product_weights(edit) & wanted
    tensors = [tensor for tensor in edit.graph.initializer if tensor.name in names]
    tried: dict[Region, tuple[Region, int] | None] = {}
    with Workers() as workers:
        output = Output(scratch)
        for tensor in tensors:
            weight = edit.weights[tensor.name]
            if weight.region not in tried:
                tried[weight.region] = _pruned(weight, share, output, workers)
            found = tried[weight.region]
            if found is not None:
                edit.retype(tensor, weight.dtype, found[0])
    done = {region: found for region, found in tried.items() if found is not None}
    if not done:
        return None
    pairs = tuple((before, after) for before, (after, _) in done.items())
    count = sum(prod(weight.shape) for weight in {w.region: w for w in model.weights if w.region in done}.values())
    zeros = sum(zero for _, zero in done.values())
    return Sparse(edit.close(), pairs, count, zeros, _on_the_wire(pairs))


def product_weights(edit: Edit) -> set[str]:
    """Weights of two or more axes that something is multiplied with. A table that is looked up is none of them: its
    rows have few values each, and every one of them counts."""
    origins = Origins(edit)
    found: set[str] = set()
    tables: set[str] = set()
    for node in nodes(edit.graph):
        for index in ROW_INPUTS.get(node.op_type, ()) if node.domain in ("", "com.microsoft") else ():
            origin = origins.get(node.input[index]) if index < len(node.input) else None
            if origin is not None and len(origin.weight.shape) >= 2:
                (tables if node.op_type == "Gather" else found).add(origin.weight.name)
    return found - tables


def _pruned(weight: Weight, share: float, output: Output, workers: Workers) -> tuple[Region, int] | None:
    matrix = Matrix(weight.region, weight.dtype, weight.shape[0], prod(weight.shape[1:]))
    limit = magnitude.threshold(matrix, share, workers)
    if limit == 0:
        return None
    area = output.reserve((matrix.rows, matrix.cols), magnitude.bits_of(weight.dtype))
    return area.region, magnitude.prune(matrix, limit, area, workers)


def _on_the_wire(pairs: Sequence[tuple[Region, Region]]) -> tuple[Encoding, float, float] | None:
    encodings: tuple[Encoding, ...] = ("br", "zstd")
    encoding = next((one for one in encodings if find_spec(LIBRARIES[one])), None)
    if encoding is None:
        return None
    largest = sorted(pairs, key=lambda pair: -pair[0].length)[:_SAMPLED]
    total = sum(before.length for before, _ in largest)
    shares = [sum(_left(pair[i], encoding) * pair[i].length for pair in largest) / total for i in (0, 1)]
    return encoding, round(shares[0], 3), round(shares[1], 3)


def _left(region: Region, encoding: Encoding) -> float:
    with open(region.path, "rb") as file:

        def read(start: int, length: int) -> bytes:
            file.seek(region.offset + start)
            return file.read(length)

        return left_of(read, region.length, lambda sample: _encoded(sample, encoding))


def _encoded(sample: Any, encoding: Encoding) -> int:
    return sum(map(len, encoded(encoding, FOR_WEIGHTS[encoding], len(sample), iter([sample]))))
