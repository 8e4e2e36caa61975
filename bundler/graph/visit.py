"""Walks a ModelProto: every node and every tensor, wherever the format allows one to hide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .faults import describe, quote


class Site(NamedTuple):
    """A TensorProto and where it stands: `owner` is the GraphProto, FunctionProto or NodeProto that holds it."""

    tensor: Any
    role: str
    """"initializer", "sparse values", "sparse indices" or "attribute"."""
    owner: Any
    attribute: Any = None

    def __str__(self) -> str:
        if self.attribute is None:
            return f"{self.role} {quote(self.tensor.name)}"
        holder = describe(self.owner) if hasattr(self.owner, "op_type") else f"function {quote(self.owner.name)}"
        return f"attribute {quote(self.attribute.name)} of {holder}"


def bodies(model: Any) -> Iterator[Any]:
    """The main graph, the graphs of training_info, and the functions: the outermost holders of nodes."""
    yield model.graph
    for training in model.training_info:
        yield training.initialization
        yield training.algorithm
    yield from model.functions


def subgraphs(node: Any) -> Iterator[Any]:
    """The graphs in a node's attributes, whatever type the attribute says it has."""
    yield from _graphs_in(node.attribute)


def _graphs_in(attributes: Any) -> Iterator[Any]:
    for attribute in attributes:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def nodes(body: Any) -> Iterator[Any]:
    """All nodes of a graph or function and of the graphs nested in it."""
    for node in body.node:
        yield node
        for graph in subgraphs(node):
            yield from nodes(graph)


def graphs(body: Any) -> Iterator[Any]:
    """`body` and all graphs nested in it, outermost first."""
    yield body
    for graph in _graphs_in(getattr(body, "attribute_proto", ())):
        yield from graphs(graph)
    for node in body.node:
        for graph in subgraphs(node):
            yield from graphs(graph)


def tensors(model: Any) -> Iterator[Site]:
    """Every TensorProto of the model, in declaration order."""
    for outer in bodies(model):
        for body in graphs(outer):
            yield from own_tensors(body)


def own_tensors(body: Any) -> Iterator[Site]:
    for tensor in getattr(body, "initializer", ()):
        yield Site(tensor, "initializer", body)
    for sparse in getattr(body, "sparse_initializer", ()):
        yield from _sparse(sparse, body, None)
    for attribute in getattr(body, "attribute_proto", ()):
        yield from _attribute(attribute, body)
    for node in body.node:
        for attribute in node.attribute:
            yield from _attribute(attribute, node)


def _attribute(attribute: Any, owner: Any) -> Iterator[Site]:
    if attribute.HasField("t"):
        yield Site(attribute.t, "attribute", owner, attribute)
    for tensor in attribute.tensors:
        yield Site(tensor, "attribute", owner, attribute)
    if attribute.HasField("sparse_tensor"):
        yield from _sparse(attribute.sparse_tensor, owner, attribute)
    for sparse in attribute.sparse_tensors:
        yield from _sparse(sparse, owner, attribute)


def _sparse(sparse: Any, owner: Any, attribute: Any) -> Iterator[Site]:
    yield Site(sparse.values, "sparse values", owner, attribute)
    yield Site(sparse.indices, "sparse indices", owner, attribute)


def set_nodes(body: Any, kept: list[Any]) -> None:
    """Makes `kept` (nodes of `body`, or new ones) the nodes of a GraphProto or FunctionProto, in that order."""
    holder = type(body)()
    holder.node.extend(kept)
    body.ClearField("node")
    body.node.MergeFrom(holder.node)
