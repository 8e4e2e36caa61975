"""What values an integer input can take, read off the graph: a token id indexes a table, a byte a one-hot code.

An id past the end of its table makes the model fail, and ids that are all alike make it blind; so the
range is traced from the input, through operators that only move values, to where the value is used.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import onnx
from onnx import numpy_helper

_MOVERS = frozenset({"Cast", "Concat", "Expand", "Flatten", "Identity", "Pad", "Reshape", "Slice", "Split"})
_MOVERS |= {"Squeeze", "Tile", "Transpose", "Unsqueeze"}
_COUNTS = frozenset({("Loop", 0), ("Expand", 1), ("Reshape", 1), ("Tile", 1), ("ConstantOfShape", 0), ("TopK", 1)})
"""(operator, input) pairs that take a size: 1 is the only one that is always harmless."""


MOST_CHOICES = 8


@dataclass
class Domain:
    """`limit`: values lie in [0, limit). `choices`: constants that it is compared with. Neither: 1 is as good as any.
    `count`: it is a size."""

    limit: int | None = None
    choices: list[int] = field(default_factory=list)
    count: bool = False

    def below(self, limit: int) -> None:
        if limit > 0:
            self.limit = limit if self.limit is None else min(self.limit, limit)


class Domains:
    """Of a skeleton: weights need not be there, their dims are."""

    def __init__(self, graph: Any) -> None:
        self._uses: dict[str, list[tuple[Any, int]]] = defaultdict(list)
        self._tensors: dict[str, onnx.TensorProto] = {}
        self._collect(graph)

    def _collect(self, graph: Any) -> None:
        self._tensors |= {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self._tensors |= {name: a.t for name in node.output for a in node.attribute if a.name == "value"}
            for index, name in enumerate(node.input):
                self._uses[name].append((node, index))
            for inner in subgraphs(node):
                self._collect(inner)

    def of(self, name: str) -> Domain:
        """The domain of the integer input `name`."""
        domain = Domain()
        seen, todo = {name}, [(name, 0)]
        while todo:
            current, shift = todo.pop()
            for node, index in self._uses[current]:
                self._use(domain, node, index, shift)
                for follower, more in self._followers(node, index):
                    if follower not in seen:
                        seen.add(follower)
                        todo.append((follower, shift + more))
        return domain

    def _followers(self, node: Any, index: int) -> Iterator[tuple[str, int]]:
        if node.op_type in _MOVERS and (index == 0 or node.op_type == "Concat"):
            yield from ((output, 0) for output in node.output)
        elif node.op_type == "Add":
            constant = self._integers(node.input[1 - index])
            if len(constant) == 1:
                yield node.output[0], constant[0]

    def _use(self, domain: Domain, node: Any, index: int, shift: int) -> None:
        kind = node.op_type
        if kind in ("Gather", "GatherElements", "GatherBlockQuantized") and index == 1:
            domain.below(self._rows(node.input[0], _attribute(node, "axis", 0)) - shift)
        elif kind == "EmbedLayerNormalization" and index < 2:
            domain.below(self._rows(node.input[(2, 4)[index]], 0))
        elif kind == "OneHot" and index == 0:
            domain.below(next(iter(self._integers(node.input[1])), 0) - shift)
        elif kind == "Equal":
            self._compared(domain, node.input[1 - index], shift)
        elif (kind, index) in _COUNTS:
            domain.count = True

    def _compared(self, domain: Domain, name: str, shift: int) -> None:
        """With a few constants: those. With a long row of integers: a one-hot code of that many classes."""
        tensor = self._tensors.get(name)
        classes = math.prod(tensor.dims) if tensor is not None else 0
        if classes > MOST_CHOICES:
            domain.below(classes - shift)
        domain.choices += [value - shift for value in self._integers(name)]

    def _rows(self, name: str, axis: int) -> int:
        dims = list(self._tensors[name].dims) if name in self._tensors else []
        return int(dims[axis]) if -len(dims) <= axis < len(dims) else 0

    def _integers(self, name: str) -> list[int]:
        tensor = self._tensors.get(name)
        if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
            return []
        values = numpy_helper.to_array(tensor).reshape(-1)
        return [int(value) for value in values] if values.dtype.kind in "iu" and values.size <= MOST_CHOICES else []


def subgraphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _attribute(node: Any, name: str, default: int) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), default)
