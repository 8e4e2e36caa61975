"""A graph as the search sees it: for each node that an output needs, what it takes, makes and weighs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..graph.visit import nodes, subgraphs

_RANDOM = ("Random", "Bernoulli", "Multinomial")


@dataclass(frozen=True, slots=True)
class Node:
    """`index`: among the graph's nodes. `takes`: values that other nodes make, also those that only a subgraph (the
    body of an If, Loop or Scan) captures. `weights`: names of initializers, `feeds`: of inputs of the graph; captured
    ones included."""

    index: int
    takes: frozenset[str]
    makes: tuple[str, ...]
    weights: frozenset[str]
    feeds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Nodes:
    """`nodes`: in an order in which they can run; nodes that no output needs, and those of `fixed`, are left out.
    `outputs`: of the graph. `loose`: outputs that no node makes."""

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    loose: tuple[str, ...]


def read(graph: Any) -> Nodes:
    """Of a GraphProto whose nodes are in order."""
    outputs = tuple(value.name for value in graph.output)
    held = weights_of(graph)
    copied = fixed(graph)
    made = {name for node in graph.node for name in node.output if name} - held.keys()
    given = {value.name for value in graph.input} - held.keys()
    found = [
        Node(
            index,
            uses & made,
            tuple(filter(None, node.output)),
            frozenset().union(*(held.get(u, ()) for u in uses)),
            uses & given,
        )
        for index, node in enumerate(graph.node)
        if index not in copied
        for uses in [frozenset(uses_of(node))]
    ]
    return Nodes(tuple(_live(found, outputs)), outputs, tuple(name for name in outputs if name not in made))


def fixed(graph: Any) -> set[int]:
    """Indices of nodes that depend on weights only, such as the DequantizeLinear of one: each stage that uses them has
    a copy. One that makes an output of the graph, or random numbers, is a node like any other."""
    outputs = {value.name for value in graph.output}
    known = {tensor.name for tensor in graph.initializer}
    found: set[int] = set()
    for index, node in enumerate(graph.node):
        if known.issuperset(uses_of(node)) and not outputs.intersection(node.output) and not _is_random(node):
            found.add(index)
            known.update(filter(None, node.output))
    return found


def weights_of(graph: Any) -> dict[str, frozenset[str]]:
    """Each initializer, and each value that a fixed node makes -> the initializers that it comes from."""
    found = {tensor.name: frozenset([tensor.name]) for tensor in graph.initializer}
    copied = fixed(graph)
    for index, node in enumerate(graph.node):
        if index in copied:
            come = frozenset[str]().union(*(found[name] for name in uses_of(node)))
            found.update(dict.fromkeys(filter(None, node.output), come))
    return found


def _is_random(node: Any) -> bool:
    inner = (each for graph in subgraphs(node) for each in nodes(graph))
    return any(one.op_type.startswith(_RANDOM) for one in (node, *inner))


def uses_of(node: Any) -> Iterator[str]:
    """Names that the node reads from the graph that it stands in."""
    yield from filter(None, node.input)
    for inner in subgraphs(node):
        yield from _captured(inner)


def _captured(graph: Any) -> Iterator[str]:
    """Names that a subgraph takes from around it. ONNX forbids one name to mean two values, so none is hidden."""
    own = {value.name for value in (*graph.input, *graph.initializer)}
    own |= {name for node in graph.node for name in node.output}
    read = [name for node in graph.node for name in uses_of(node)]
    yield from (name for name in (*read, *(value.name for value in graph.output)) if name not in own)


def _live(nodes: list[Node], outputs: tuple[str, ...]) -> list[Node]:
    wanted = set(outputs)
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.makes):
            wanted |= node.takes
            kept.append(node)
    return kept[::-1]
