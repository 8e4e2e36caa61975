"""The rewrite of float16: every float32 value of every graph becomes float16, but for the model's inputs and outputs.

A node that must stay reads its inputs through a Cast and hands its outputs on through another; so each value has one
type, and no node need know its neighbours.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..graph.dtypes import NUMBERS
from ..graph.edit import Edit, keep
from ..graph.model import Region, Weight
from ..graph.types import FLOAT, Types, takes_half
from ..graph.visit import graphs, set_nodes, subgraphs
from .kernels import half
from .kernels.output import Output
from .kernels.tiles import Matrix, Workers
from .nodes import make_node

HALF = NUMBERS["float16"]
_STAY = frozenset(
    {
        *("CumSum", "DequantizeLinear", "DynamicQuantizeLinear", "GridSample", "Max", "Min", "NonMaxSuppression"),
        *("OneHot", "QuantizeLinear", "RandomNormalLike", "RandomUniformLike", "Range", "Resize", "RoiAlign"),
        *("ScatterElements", "ScatterND", "TopK", "Upsample"),
    }
)
"""Operators whose schema allows float16 and whose kernels, in one of onnxruntime's builds, do not have it."""
_CONTRIBUTED = frozenset(
    {
        *("Attention", "BiasGelu", "FastGelu", "FusedConv", "FusedMatMul", "GatherBlockQuantized", "Gelu"),
        *("GroupQueryAttention", "MatMulNBits", "MultiHeadAttention", "QuickGelu", "RotaryEmbedding"),
        *("SimplifiedLayerNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization"),
    }
)
"""Operators of com.microsoft that compute in float16."""


class Halves:
    """One run of the loader. `beyond`: weights with finite values that float16 cannot hold."""

    def __init__(self, edit: Edit, output: Output, workers: Workers, stay: frozenset[str]) -> None:
        self._edit, self._output, self._workers = edit, output, workers
        self._stay = _STAY | stay
        self._opset = edit.opset()
        self._types = Types(edit.graph, self._opset)
        self._wide: set[str] = set()
        self._converted: dict[str, Region | None] = {}
        self.beyond: set[str] = set()

    def convert(self) -> bool:
        """Rewrites all graphs; False: there was nothing to convert, and nothing was touched."""
        weights = [w for w in self._edit.weights.values() if w.dtype == "float32"]
        if not weights:
            return False
        self._converted = {weight.name: self._half(weight) for weight in weights}
        self.beyond = {name for name, region in self._converted.items() if region is None}
        for graph in graphs(self._edit.graph):
            self._constants(graph)
        self._wide = self._stay_wide()
        self._initializers()
        for graph in reversed(list(graphs(self._edit.graph))):
            self._graph(graph)
        self._ports()
        return True

    def _half(self, weight: Weight) -> Region | None:
        """The bytes of `weight` in float16, before it is known whether anybody wants them: nearly always."""
        matrix = _flat(weight)
        area = self._output.reserve((matrix.rows, matrix.cols), np.float16)
        return area.region if half.convert(matrix, area, self._workers) else None

    def _constants(self, graph: Any) -> None:
        """Notes the graph's own constants that are beyond float16: the variances of an OCR model's norms reach 1e8. A
        single number is none of them: a mask's -1e9 means as much as float16's least number.
        """
        from onnx import numpy_helper

        kept = []
        for node in graph.node:
            value = next((one.t for one in node.attribute if one.name == "value"), None)
            if node.op_type == "Constant" and value is not None and _is_beyond(value):
                graph.initializer.add().CopyFrom(numpy_helper.from_array(numpy_helper.to_array(value), node.output[0]))
            else:
                kept.append(node)
        keep(kept, graph, "node")
        small = (tensor for tensor in graph.initializer if tensor.name not in self._edit.weights)
        self.beyond |= {tensor.name for tensor in small if _is_beyond(tensor)}

    def _stay_wide(self) -> set[str]:
        """Initializers that nothing but float32 inputs read."""
        initializers: set[str] = set()
        half_users: set[str] = set()
        for graph in graphs(self._edit.graph):
            initializers |= {tensor.name for tensor in graph.initializer}
            half_users |= {value.name for value in graph.output}
            for node in graph.node:
                stays, fixed = self._judge(node)
                half_users |= {name for index, name in enumerate(node.input) if not (stays or index in fixed)}
        return (initializers - half_users) | self.beyond

    def _judge(self, node: Any) -> tuple[bool, frozenset[int]]:
        """Whether `node` stays float32 as a whole, and which of its inputs do in any case."""
        if node.op_type in self._stay or node.name in self._stay or self.beyond & set(node.input):
            return True, frozenset()
        if node.domain:
            return not (node.domain == "com.microsoft" and node.op_type in _CONTRIBUTED), frozenset()
        if any(subgraphs(node)):
            return False, frozenset()
        takes, fixed = takes_half(node, self._opset)
        return not takes, fixed

    def _initializers(self) -> None:
        for graph in graphs(self._edit.graph):
            for tensor in graph.initializer:
                if tensor.data_type == FLOAT and tensor.name not in self._wide:
                    self._tensor(tensor)

    def _tensor(self, tensor: Any) -> None:
        """Makes a TensorProto float16 in place."""
        from onnx import numpy_helper

        region = self._converted.get(tensor.name)
        if region is not None:
            self._edit.retype(tensor, "float16", region)
        else:
            values = half.small(numpy_helper.to_array(tensor))
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    def _graph(self, graph: Any) -> None:
        """Rewrites the nodes of one graph; what is inside them has been."""
        made: list[Any] = []
        widened: dict[str, str] = {}
        for node in graph.node:
            stays, fixed = self._judge(node)
            if not stays:
                self._attributes(node)
            for index, name in enumerate(node.input):
                if (stays or index in fixed) and self._is_half(name):
                    if name not in widened:
                        widened[name] = self._edit.fresh(f"{name}_float32")
                        made.append(make_node("Cast", [name], widened[name], to=FLOAT))
                    node.input[index] = widened[name]
            made.append(node)
            made += self._narrowed(node) if stays else []
        set_nodes(graph, made)
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.tensor_type.elem_type == FLOAT:
                value.type.tensor_type.elem_type = HALF

    def _narrowed(self, node: Any) -> list[Any]:
        casts = []
        for index, name in enumerate(node.output):
            if self._types.is_float(name):
                node.output[index] = self._edit.fresh(f"{name}_float32")
                casts.append(make_node("Cast", [node.output[index]], name, to=HALF))
        return casts

    def _is_half(self, name: str) -> bool:
        return self._types.is_float(name) and name not in self._wide

    def _attributes(self, node: Any) -> None:
        """Types and tensors that a node's attributes name."""
        from onnx import helper, numpy_helper

        for one in node.attribute:
            if one.name in ("to", "dtype") and one.i == FLOAT:
                one.i = HALF
            elif one.HasField("t") and one.t.data_type == FLOAT:
                one.t.CopyFrom(numpy_helper.from_array(half.small(numpy_helper.to_array(one.t)), one.t.name))
            elif node.op_type == "Constant" and one.name in ("value_float", "value_floats"):
                values = np.array(one.f if one.name == "value_float" else one.floats, np.float32)
                one.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(half.small(values))))
        given = {one.name for one in node.attribute}
        if node.op_type == "ConstantOfShape" and "value" not in given:
            node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(np.zeros(1, np.float16))))
        elif node.op_type in ("RandomNormal", "RandomUniform") and "dtype" not in given:
            node.attribute.append(helper.make_attribute("dtype", HALF))

    def _ports(self) -> None:
        """The model's inputs and outputs are float32 again: a Cast behind each input, and one before each output."""
        graph = self._edit.graph
        defaults = {tensor.name for tensor in graph.initializer}
        inner = {v.name: self._edit.fresh(f"{v.name}_half") for v in graph.input if self._is_port(v, defaults)}
        outer = {v.name: self._edit.fresh(f"{v.name}_half") for v in graph.output if self._is_port(v, defaults)}
        outer = {name: new for name, new in outer.items() if name not in inner}
        for value in (*graph.input, *graph.output):
            if value.name in inner or value.name in outer:
                value.type.tensor_type.elem_type = FLOAT
        keep([value for value in graph.value_info if value.name not in {**inner, **outer}], graph, "value_info")
        for one in graphs(graph):
            _rename(one, inner | outer, outer)
        before = [make_node("Cast", [name], new, to=HALF) for name, new in inner.items()]
        after = [make_node("Cast", [new], name, to=FLOAT) for name, new in outer.items()]
        set_nodes(graph, [*before, *graph.node, *after])

    def _is_port(self, value: Any, defaults: set[str]) -> bool:
        return value.type.tensor_type.elem_type == HALF and self._types.is_float(value.name)


def _is_beyond(tensor: Any) -> bool:
    from onnx import numpy_helper

    if tensor.data_type != FLOAT or prod(tensor.dims) < 2:
        return False
    size = np.abs(numpy_helper.to_array(tensor))
    return bool((size[np.isfinite(size)] > half.LARGEST).any())


def _rename(graph: Any, read: dict[str, str], made: dict[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [read.get(name, name) for name in node.input]
        node.output[:] = [made.get(name, name) for name in node.output]


def _flat(weight: Weight) -> Matrix:
    """Rows of whatever length: nothing here depends on which value is where."""
    cols = weight.shape[-1] if len(weight.shape) > 1 else prod(weight.shape)
    return Matrix(weight.region, weight.dtype, prod(weight.shape) // max(cols, 1), cols)
