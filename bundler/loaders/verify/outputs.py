"""What an output is, read off the graph: a probability has the range [0, 1] whatever the samples make of it.

A voice detector answers 0.001 to noise. Judged by the magnitude of that, every rounding error is a catastrophe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .domains import subgraphs

_KEEPS_RANGE = frozenset({"Cast", "Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze"})
_KEEPS_RANGE |= {"Transpose", "Unsqueeze", "ReduceMax", "ReduceMean", "ReduceMin"}


class Probabilities:
    """Finds the outputs of a skeleton that come out of a Sigmoid."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._makers: dict[str, tuple[Any, int]] = {}
        self._collect(graph)

    def _collect(self, graph: Any) -> None:
        for node in graph.node:
            self._makers |= {name: (node, index) for index, name in enumerate(node.output)}
            for inner in subgraphs(node):
                self._collect(inner)

    def names(self) -> frozenset[str]:
        return frozenset(value.name for value in self._graph.output if self._is_probability(value.name))

    def _is_probability(self, name: str, depth: int = 64) -> bool:
        if depth == 0 or name not in self._makers:
            return False
        node, index = self._makers[name]
        if node.op_type == "Sigmoid":
            return True
        sources = list(self._sources(node, index))
        return bool(sources) and all(self._is_probability(source, depth - 1) for source in sources)

    def _sources(self, node: Any, index: int) -> Iterator[str]:
        """The values whose range the output `index` of `node` has."""
        if node.op_type == "If":
            yield from (inner.output[index].name for inner in subgraphs(node) if index < len(inner.output))
        elif node.op_type == "Concat":
            yield from node.input
        elif node.op_type in _KEEPS_RANGE:
            yield node.input[0]
