"""In which element types a model computes: how many of its nodes in each, as a runtime would run them.

A node counts for the type of its first output, but for integer products: those give int32 or floats, and what makes
them cheap is that they multiply 8-bit integers, so they count for the type of their weight. A Conv, Gemm or MatMul
between DequantizeLinear and QuantizeLinear is written as a product of floats; onnxruntime makes one integer product
of the group, in the browser too, so it counts as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from .dtypes import DTYPES
from .types import Types
from .visit import nodes

UNKNOWN = "unknown"
"""Of what no schema tells the type: sequences, operators that the app brings, the bodies of functions."""
_WEIGHT = {
    "ConvInteger": 1,
    "DynamicQuantizeLSTM": 1,
    "DynamicQuantizeMatMul": 1,
    "MatMulInteger": 1,
    "MatMulIntegerToFloat": 1,
    "QAttention": 1,
    "QGemm": 3,
    "QLinearConv": 3,
    "QLinearMatMul": 3,
}
"""Integer products, and which of their inputs is the weight."""
INTEGER_PRODUCTS = frozenset(_WEIGHT)
_GROUPED = frozenset({"Conv", "Gemm", "MatMul"})


def count_dtypes(model: Any, opset: int) -> tuple[tuple[str, int], ...]:
    """(dtype, nodes) of a ModelProto, most first; subgraphs and functions included, so the sum is all nodes.

    `opset`: of the standard domain.
    """
    counts = Counter(_in_graph(model.graph, opset))
    inside = sum(1 for function in model.functions for _ in nodes(function))
    counts.update({UNKNOWN: inside} if inside else {})
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _in_graph(graph: Any, opset: int) -> Iterator[str]:
    types, groups = Types(graph, opset), _Groups(graph)
    for node in nodes(graph):
        kind = types.of(_telling(node, groups))
        yield DTYPES[kind].name if kind in DTYPES else UNKNOWN


def _telling(node: Any, groups: _Groups) -> str:
    """The value whose type `node` computes in."""
    weight = _WEIGHT.get(node.op_type)
    if weight is not None and len(node.input) > weight:
        return str(node.input[weight])
    return groups.weight(node) or (str(node.output[0]) if node.output else "")


class _Groups:
    """Products between DequantizeLinear and QuantizeLinear."""

    def __init__(self, graph: Any) -> None:
        self._integers: dict[str, str] = {}
        """Output of a DequantizeLinear -> the integers that it reads."""
        self._read: Counter[str] = Counter()
        self._rounded: Counter[str] = Counter()
        """How often a value is read, and how often by a QuantizeLinear."""
        for node in nodes(graph):
            self._read.update(node.input)
            if node.op_type == "DequantizeLinear":
                self._integers[node.output[0]] = node.input[0]
            elif node.op_type == "QuantizeLinear":
                self._rounded[node.input[0]] += 1

    def weight(self, node: Any) -> str:
        """The integers that are the weight of `node`, or ""."""
        if node.op_type not in _GROUPED or not all(name in self._integers for name in node.input[:2]):
            return ""
        made = node.output[0]
        rounded = self._read[made] > 0 and self._read[made] == self._rounded[made]
        return self._integers[node.input[1]] if rounded else ""
