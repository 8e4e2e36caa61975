"""Replaces nodes whose weights get another form, in all graphs of a model, and drops what then serves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ..graph.edit import Edit, keep
from ..graph.model import Model
from ..graph.visit import graphs, set_nodes
from .base import Skip
from .kernels.output import Output
from .kernels.tiles import Workers
from .origin import Origins, used_names
from .packing import Packer

_CARRIERS = frozenset({"Cast", "Identity", "Transpose"})


class Step(Protocol):
    """What a loader does to one model."""

    packer: Packer

    def begin(self) -> None:
        """Called before the nodes of each graph."""
        ...

    def replace(self, node: Any) -> list[Any] | None:
        """The nodes that do the work of `node`, or None when it stays."""
        ...


S = TypeVar("S", bound=Step)


def rewrite(model: Model, scratch: str, make: Callable[[Rewriting], S], least_opset: int = 0) -> tuple[Model | None, S]:
    """The model after the step that `make` returns, None when it changed nothing; and that step.

    A weight that some node still needs as it was would be stored twice: then all is done again without it.
    """
    stay: frozenset[str] = frozenset()
    with Workers() as workers:
        while True:
            rewriting = Rewriting(model, scratch, workers, stay, least_opset)
            step = make(rewriting)
            result = rewriting.apply(step)
            twice = step.packer.done & set(rewriting.edit.weights) & rewriting.initializers()
            if not twice:
                return result, step
            stay |= twice


class Rewriting:
    """One rewrite of one model. `prelude`: nodes for the start of the main graph, where every graph sees them."""

    def __init__(self, model: Model, scratch: str, workers: Workers, stay: frozenset[str], least_opset: int) -> None:
        self.edit = Edit(model, scratch)
        if not self.edit.reach_opset(least_opset):
            raise Skip(f"it cannot be brought to operator set {least_opset}")
        self.origins = Origins(self.edit, stay)
        self.packer = Packer(self.edit, Output(scratch), workers)
        self.prelude: list[Any] = []

    def apply(self, step: Step) -> Model | None:
        """The new model; None when no node was replaced."""
        innermost_first = reversed(list(graphs(self.edit.graph)))  # setting a graph's nodes copies what is inside them
        done = [self._graph(graph, step) for graph in innermost_first]
        if not any(done):
            return None
        if self.prelude:
            set_nodes(self.edit.graph, [*self.prelude, *self.edit.graph.node])
        self._sweep()
        return self.edit.close()

    def initializers(self) -> set[str]:
        """Those that the model has now."""
        return {tensor.name for tensor in self.edit.graph.initializer}

    def _graph(self, graph: Any, step: Step) -> bool:
        found: list[Any] = []
        changed = False
        step.begin()
        for node in graph.node:
            instead = step.replace(node)
            found += [node] if instead is None else instead
            changed = changed or instead is not None
        if changed:
            set_nodes(graph, found)
        return changed

    def _sweep(self) -> None:
        """Drops carriers of weights whose output nobody reads any more."""
        while True:
            used = used_names(self.edit.graph)
            before = sum(len(graph.node) for graph in graphs(self.edit.graph))
            for graph in graphs(self.edit.graph):
                keep([node for node in graph.node if _serves(node, used)], graph, "node")
            if sum(len(graph.node) for graph in graphs(self.edit.graph)) == before:
                return


def _serves(node: Any, used: set[str]) -> bool:
    return bool(node.domain) or node.op_type not in _CARRIERS or any(name in used for name in node.output)
