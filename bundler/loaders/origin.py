"""Where a value comes from: a weight, perhaps behind nodes that change its type or turn it, or something computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..graph.attributes import attribute
from ..graph.dtypes import DTYPES
from ..graph.edit import Edit
from ..graph.model import Weight
from ..graph.visit import graphs, nodes

FLOATS = frozenset({"float32", "float16", "bfloat16"})
WIDE = frozenset({"float32", "float16"})
"""What a graph computes in. A bfloat16 weight is cast before it is used: onnxruntime's CPU kernels know no more."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A value that is `weight`, transposed or not. `dtype`: the value's type, which may be wider than the weight's."""

    weight: Weight
    transposed: bool
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weight.shape[::-1] if self.transposed else self.weight.shape


class Origins:
    """All values of all graphs of `edit` that are float weights. A weight that is an input's default is none.

    `but`: names of weights that shall stay as they are.
    """

    def __init__(self, edit: Edit, but: frozenset[str] = frozenset()) -> None:
        self._origins: dict[str, Origin] = {}
        inputs = {value.name for graph in graphs(edit.graph) for value in graph.input}
        for weight in edit.weights.values():
            if weight.dtype in FLOATS and weight.name not in inputs | but:
                self._origins[weight.name] = Origin(weight, False, weight.dtype)
        for node in nodes(edit.graph):
            self._follow(node)

    def get(self, name: str) -> Origin | None:
        """What `name` is, if a kernel can take its place."""
        origin = self._origins.get(name)
        return origin if origin is not None and origin.dtype in WIDE else None

    def _follow(self, node: Any) -> None:
        source = self._origins.get(node.input[0]) if node.input and not node.domain else None
        if source is None:
            return
        if node.op_type == "Identity":
            self._origins[node.output[0]] = source
        elif node.op_type == "Cast":
            to = DTYPES[attribute(node, "to", 0)].name
            if to in WIDE and (to == "float32" or source.dtype == to):
                self._origins[node.output[0]] = replace(source, dtype=to)
        elif node.op_type == "Transpose" and len(source.shape) == 2 and attribute(node, "perm", [1, 0]) == [1, 0]:
            self._origins[node.output[0]] = replace(source, transposed=not source.transposed)


def used_names(graph: Any) -> set[str]:
    """Names that nodes of `graph` and of graphs nested in it read, and those that one of these graphs hands out."""
    return set(_used(graph))


def _used(graph: Any) -> Iterator[str]:
    for one in graphs(graph):
        yield from (value.name for value in one.output)
        for node in one.node:
            yield from node.input
