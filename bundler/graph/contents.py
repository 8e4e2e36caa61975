"""What an emitted graph file holds, as plain data: its stored tensors and its operators. A child's function."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .dtypes import DTYPES
from .visit import graphs, nodes


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor with values. `file` and `offset`: of its logical data file; "" and 0: they are in the graph file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    file: str
    offset: int
    users: tuple[str, ...]
    """Operators that read it, "MatMul" or "domain::Op", once for each node."""


@dataclass(frozen=True, slots=True)
class Contents:
    tensors: tuple[Stored, ...]
    ops: tuple[tuple[str, int], ...]
    """Operator -> number of nodes, nested graphs included."""


def read_contents(path: str) -> Contents:
    """Of the graph file at `path`; weights beside it are not read."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    users: dict[str, list[str]] = defaultdict(list)
    ops: dict[str, int] = defaultdict(int)
    for node in nodes(graph):
        ops[_op(node)] += 1
        for name in dict.fromkeys(node.input):
            users[name].append(_op(node))
    found = tuple(_stored(name, tensor, tuple(users[name])) for name, tensor in _tensors(graph))
    return Contents(found, tuple(sorted(ops.items())))


def _op(node: Any) -> str:
    return f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else str(node.op_type)


def _tensors(graph: Any) -> Iterator[tuple[str, Any]]:
    for one in graphs(graph):
        yield from ((tensor.name, tensor) for tensor in one.initializer)
    for node in nodes(graph):
        if node.op_type == "Constant" and not node.domain:
            yield from ((node.output[0], one.t) for one in node.attribute if one.name == "value")


def _stored(name: str, tensor: Any, users: tuple[str, ...]) -> Stored:
    place = {entry.key: entry.value for entry in tensor.external_data}
    dtype, shape = DTYPES[tensor.data_type], tuple(tensor.dims)
    nbytes = len(tensor.raw_data) or (math.prod(shape) * dtype.bits + 7) // 8
    if not place:
        return Stored(name, dtype.name, shape, nbytes, "", 0, users)
    length, offset = int(place.get("length", nbytes)), int(place.get("offset", 0))
    return Stored(name, dtype.name, shape, length, place["location"], offset, users)
