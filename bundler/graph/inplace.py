"""Caches whose past and present may be one buffer.

`GroupQueryAttention` puts what is new behind what is old, and where the caller gives one buffer for both, as long as
the longest text, it writes there and copies nothing. That holds only where nobody else looks at either: a Cast would
take the free room for tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from .visit import nodes

ATTENTION = ("com.microsoft", "GroupQueryAttention")
PAST, PRESENT, SCALE = (3, 4), (1, 2), (12, 13)
"""Which inputs are keys and values of the past, which outputs those with what is new, and which inputs the scales of a
cache in 8 or 4 bits."""


def in_place(graph: Any) -> tuple[tuple[str, str], ...]:
    """(input, output) of the main graph each, in the order of its nodes."""
    given, made = {port.name for port in graph.input}, {port.name for port in graph.output}
    read = Counter(name for node in nodes(graph) for name in node.input)
    return tuple(
        (past, present)
        for past, present in _pairs(graph)
        if past in given and present in made and read[past] == 1 and read[present] == 0
    )


def _pairs(graph: Any) -> Iterator[tuple[str, str]]:
    for node in graph.node:
        known = (node.domain, node.op_type) == ATTENTION
        if known and len(node.input) > PAST[-1] and len(node.output) > PRESENT[-1]:
            yield from ((node.input[past], node.output[made]) for past, made in zip(PAST, PRESENT, strict=True))
