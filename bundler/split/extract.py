"""From a model and a stage for each node to the stages' models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..graph.dtypes import NUMBERS
from ..graph.edit import Edit, keep
from ..graph.model import Model
from ..graph.visit import set_nodes
from .nodes import fixed, uses_of
from .plan import Plan, Type


def extract(model: Model, plan: Plan, scratch: str) -> tuple[Model, ...]:
    """The stages, in the order in which they run. Together they hold each node that an output needs once.

    A value keeps its name everywhere, so what one stage gives out another takes in; inputs of the model come first.
    The child's function.
    """
    of_node = [stage for stage, count in plan.runs for _ in range(count)]
    return tuple(_stage(model, of_node, number, plan.types, scratch) for number in range(max(of_node) + 1))


def _stage(model: Model, of_node: Sequence[int], number: int, types: Mapping[str, Type], scratch: str) -> Model:
    edit = Edit(model, scratch)
    graph = edit.graph
    own = _own(graph, of_node, number)
    made = {name for node in own for name in node.output}
    given = {value.name for value in (*graph.input, *graph.initializer)}
    uses = {name for node in own for name in uses_of(node)}
    later = {name for node in _of(graph, of_node, lambda stage: stage > number) for name in uses_of(node)}
    outputs = {value.name for value in graph.output}
    order = {name: place for place, node in enumerate(graph.node) for name in node.output}
    here = {name for node in _of(graph, of_node, lambda stage: stage == number) for name in node.output}
    handed = sorted((here & later) - outputs, key=order.__getitem__)
    _set_ports(graph, "input", uses, sorted(uses - made - given, key=order.__getitem__), types)
    _set_ports(graph, "output", made, handed, types)
    keep([value for value in graph.value_info if value.name in made.difference(handed)], graph, "value_info")
    set_nodes(graph, own)
    return edit.close()


def _own(graph: Any, of_node: Sequence[int], number: int) -> list[Any]:
    """The nodes of a stage, in order, with the fixed ones that they need."""
    copied = fixed(graph)
    wanted: set[str] = set()
    found: list[Any] = []
    for index in reversed(range(len(of_node))):
        node = graph.node[index]
        if of_node[index] == number or (index in copied and wanted.intersection(node.output)):
            wanted.update(uses_of(node))
            found.append(node)
    return found[::-1]


def _of(graph: Any, of_node: Sequence[int], wanted: Callable[[int], bool]) -> list[Any]:
    return [node for node, stage in zip(graph.node, of_node, strict=True) if wanted(stage)]


def _set_ports(graph: Any, field: str, kept: set[str], crossing: list[str], types: Mapping[str, Type]) -> None:
    """The graph's own ports that the stage has, then what comes from other stages or goes to them."""
    keep([value for value in getattr(graph, field) if value.name in kept], graph, field)
    for name in crossing:
        port = getattr(graph, field).add(name=name)
        tensor = port.type.tensor_type
        tensor.elem_type = NUMBERS[types[name].dtype]
        shape = types[name].shape
        for dimension in shape or ():
            one = tensor.shape.dim.add()
            if isinstance(dimension, int):
                one.dim_value = dimension
            elif dimension is not None:
                one.dim_param = dimension
