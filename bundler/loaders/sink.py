"""Moves weights into the branches that use them: the inverse of lifting, for onnxruntime's quantizer.

It quantizes inside If, Loop and Scan only what is an initializer of that very graph.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from .skeleton import nested


def sink(graph: Any) -> None:
    """Moves every initializer that one nested graph alone uses down into it, as deep as that holds. In place."""
    inner = list(nested(graph))
    if not inner:
        return
    kept = []
    own = _names_used(graph)
    users = [(candidate, _names_used_within(candidate)) for candidate in inner]
    uses = Counter(name for _, names in users for name in names)
    for tensor in graph.initializer:
        home = next((candidate for candidate, names in users if tensor.name in names), None)
        if home is None or tensor.name in own or uses[tensor.name] > 1:
            kept.append(tensor)
        else:
            home.initializer.add().CopyFrom(tensor)
    holder = type(graph)(initializer=kept)
    graph.ClearField("initializer")
    graph.initializer.MergeFrom(holder.initializer)
    for candidate in inner:
        sink(candidate)


def _names_used(graph: Any) -> set[str]:
    """By the nodes of `graph` itself, or handed out or taken in by it."""
    ports = {value.name for value in (*graph.input, *graph.output)}
    return ports | {name for node in graph.node for name in node.input}


def _names_used_within(graph: Any) -> set[str]:
    return _names_used(graph).union(*map(_names_used_within, nested(graph)))
