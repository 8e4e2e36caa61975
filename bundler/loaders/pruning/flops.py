"""How much a graph computes: floating-point operations of its products, two for each multiplication and addition.

Everything else (norms, activations, sums) is a few percent of a network and is not counted. A pure function of nodes
and shapes; what is inside branches and loops has no shapes here and counts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

from ...graph.attributes import attribute

Shapes = Mapping[str, tuple[int, ...]]


def flops(nodes: Iterable[Any], shapes: Shapes) -> int:
    """Of one run, with values of these shapes."""
    return sum(_of(node, shapes) for node in nodes)


def _of(node: Any, shapes: Shapes) -> int:
    count = _COUNTS.get(node.op_type)
    if count is None or not all(name in shapes for name in (*node.input[:2], node.output[0]) if name):
        return 0
    return 2 * count(node, shapes)


def _matmul(node: Any, shapes: Shapes) -> int:
    a = shapes[node.input[0]]
    return prod(shapes[node.output[0]]) * (a[-2] if attribute(node, "transA", 0) and len(a) > 1 else a[-1])


def _conv(node: Any, shapes: Shapes) -> int:
    return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])


def _deconv(node: Any, shapes: Shapes) -> int:
    return prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])


def _attention(node: Any, shapes: Shapes) -> int:
    query, out = shapes[node.input[0]], shapes[node.output[0]]
    if len(query) != 3 or len(node.input) < 2 or len(shapes.get(node.input[1], ())) != 3:
        return 0
    return query[0] * query[1] * shapes[node.input[1]][1] * (query[2] + out[2])


def _recurrent(node: Any, shapes: Shapes) -> int:
    steps = prod(shapes[node.input[0]][:2])
    return steps * sum(prod(shapes.get(name, (0,))) for name in node.input[1:3])


_COUNTS = {
    "Conv": _conv,
    "ConvTranspose": _deconv,
    "FusedConv": _conv,
    "FusedGemm": _matmul,
    "FusedMatMul": _matmul,
    "GRU": _recurrent,
    "Gemm": _matmul,
    "LSTM": _recurrent,
    "MatMul": _matmul,
    "MultiHeadAttention": _attention,
    "RNN": _recurrent,
}
