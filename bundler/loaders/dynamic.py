"""The rewrite of quantize_dynamic: the operators that onnxruntime's quantizer takes, with its integers and scales.

Beyond it: weights behind Transpose and Cast, FusedMatMul, and a table that is looked up and, transposed, multiplied
with, which stays one tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.attributes import attribute
from ..graph.dtypes import NUMBERS
from ..graph.visit import nodes
from .kernels.integers import Axis, Integers
from .nodes import make_node, right_factor
from .origin import Origin
from .packing import Form, Scaled
from .rewrite import Rewriting

if TYPE_CHECKING:
    from .quantize_dynamic import QuantizeDynamic

_LEAST = 2048
"""Bytes. What a smaller weight saves, the nodes around it take."""
_TABLE = Integers(signed=False)
"""Of a Gather, whatever the options say."""
_MICROSOFT = "com.microsoft"
_FLOAT = NUMBERS["float32"]


class Dynamic:
    """One run of the loader. `unsigned`: the weights' type."""

    def __init__(self, options: QuantizeDynamic, rewriting: Rewriting, *, unsigned: bool) -> None:
        self._options = options
        self._kind = Integers(signed=not unsigned, reduced=options.reduce_range)
        self._edit, self._origins, self.packer = rewriting.edit, rewriting.origins, rewriting.packer
        self._activations: dict[str, tuple[str, str, str]] = {}
        self._tables = {origin.weight.name for origin in self._looked_up()} if self._takes("Gather") else set()

    def begin(self) -> None:
        """An activation is quantized once in each graph that needs it."""
        self._activations.clear()

    def replace(self, node: Any) -> list[Any] | None:
        """See `rewrite.Step`."""
        if not self._takes(node.op_type):
            return None
        if node.domain == _MICROSOFT:
            return {"Attention": self._attention, "FusedMatMul": self._product}.get(node.op_type, _stays)(node)
        if node.domain:
            return None
        steps = {
            "Conv": self._conv,
            "Gather": self._gather,
            "Gemm": self._product,
            "LSTM": self._lstm,
            "MatMul": self._product,
        }
        return steps.get(node.op_type, _stays)(node)

    def _takes(self, op: str) -> bool:
        op = "MatMul" if op == "FusedMatMul" else op
        return not self._options.ops or op in self._options.ops

    def _looked_up(self) -> Iterator[Origin]:
        for node in nodes(self._edit.graph):
            origin = self._origin(node, 0) if node.op_type == "Gather" and not node.domain else None
            if origin is not None:
                yield origin

    def _origin(self, node: Any, index: int) -> Origin | None:
        origin = self._origins.get(node.input[index]) if index < len(node.input) else None
        if origin is None or origin.dtype != "float32" or origin.weight.region.length < _LEAST:
            return None
        return origin

    def _product(self, node: Any) -> list[Any] | None:
        right = right_factor(node)
        origin = self._origin(node, 1) if right is not None else None
        if origin is None or len(origin.shape) < 2 or (right and len(origin.shape) > 2):
            return None
        turned = origin.transposed != right
        before, weight = self._factor(origin, turned)
        if weight is None:
            return None
        bias = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else ""
        output = self._edit.fresh(f"{node.output[0]}_product") if bias else node.output[0]
        made = [*before, *self._integer_product("MatMulInteger", node, weight, output)]
        return [*made, make_node("Add", [output, bias], node.output[0])] if bias else made

    def _factor(self, origin: Origin, turned: bool) -> tuple[list[Any], Scaled | None]:
        """The right factor, and nodes that it needs. A table that is looked up too is turned while the model loads."""
        weight, rank = origin.weight, len(origin.weight.shape)
        if weight.name in self._tables:
            scaled = self.packer.scaled(weight, Form(_TABLE, 1))
            if scaled is None or not turned:
                return [], scaled
            values = self._edit.fresh(f"{scaled.values}_transposed")
            return [make_node("Transpose", [scaled.values], values, perm=[1, 0])], Scaled(
                values, scaled.scale, scaled.zero
            )
        axis: Axis = None if not self._options.per_channel else (0 if turned else 1)
        return [], self.packer.scaled(weight, Form(self._kind, 1 if turned else rank - 1, axis, turned))

    def _conv(self, node: Any) -> list[Any] | None:
        origin = self._origin(node, 1)
        scaled = self.packer.scaled(origin.weight, Form(self._kind, 1)) if origin and not origin.transposed else None
        if origin is None or scaled is None:
            return None
        if len(node.input) < 3:
            return self._integer_product("ConvInteger", node, scaled, node.output[0])
        output, bias = (self._edit.fresh(f"{node.output[0]}_{part}") for part in ("product", "bias"))
        shape = self._edit.put("bias_shape", np.array([1, -1] + [1] * (len(origin.shape) - 2), np.int64))
        return [
            *self._integer_product("ConvInteger", node, scaled, output),
            make_node("Reshape", [node.input[2], shape], bias),
            make_node("Add", [output, bias], node.output[0]),
        ]

    def _integer_product(self, op: str, node: Any, weight: Scaled, output: str) -> list[Any]:
        """Integers times integers, and the product times both scales."""
        before, (values, scale, zero) = self._activation(node.input[0])
        stem = node.output[0]
        whole, floats, scales = (self._edit.fresh(f"{stem}_{part}") for part in ("integers", "floats", "scales"))
        product = make_node(op, [values, weight.values, zero, weight.zero], whole, node.name)
        if op == "ConvInteger":
            product.attribute.extend(node.attribute)
        return [
            *before,
            product,
            make_node("Cast", [whole], floats, to=_FLOAT),
            make_node("Mul", [scale, weight.scale], scales),
            make_node("Mul", [floats, scales], output),
        ]

    def _activation(self, name: str) -> tuple[list[Any], tuple[str, str, str]]:
        """(values, scale, zero point) of `name` as bytes, and the node that makes them when they are new."""
        from onnx import helper

        if name in self._activations:
            return [], self._activations[name]
        values, scale, zero = (self._edit.fresh(f"{name}_{part}") for part in ("quantized", "scale", "zero_point"))
        self._activations[name] = values, scale, zero
        return [helper.make_node("DynamicQuantizeLinear", [name], [values, scale, zero])], (values, scale, zero)

    def _gather(self, node: Any) -> list[Any] | None:
        origin = self._origin(node, 0)
        scaled = self.packer.scaled(origin.weight, Form(_TABLE, 1)) if origin and not origin.transposed else None
        if scaled is None:
            return None
        picked = self._edit.fresh(f"{node.output[0]}_quantized")
        copy = make_node("Gather", [scaled.values, node.input[1]], picked, node.name)
        copy.attribute.extend(node.attribute)
        return [copy, make_node("DequantizeLinear", [picked, scaled.scale, scaled.zero], node.output[0])]

    def _lstm(self, node: Any) -> list[Any] | None:
        """DynamicQuantizeLSTM, whose weights are signed whatever the options say."""
        weights = [self._origin(node, index) for index in (1, 2)]
        if attribute(node, "layout", 0) or not all(w and not w.transposed and len(w.shape) == 3 for w in weights):
            return None
        kind = Integers(signed=True, reduced=self._options.reduce_range)
        made = [
            self.packer.recurrent(w.weight, kind, per_row=self._options.per_channel) for w in weights if w is not None
        ]
        if None in made:
            return None
        copy = type(node)(op_type="DynamicQuantizeLSTM", domain=_MICROSOFT, name=node.name, output=node.output)
        rest = [*node.input[3:8], *[""] * (8 - max(len(node.input), 3))]
        found = [scaled for scaled in made if scaled is not None]
        extra = [name for scaled in found for name in (scaled.scale, scaled.zero)]
        copy.input.extend([node.input[0], *(scaled.values for scaled in found), *rest, *extra])
        copy.attribute.extend(one for one in node.attribute if one.name != "layout")
        self._edit.need(_MICROSOFT, 1)
        return [copy]

    def _attention(self, node: Any) -> list[Any] | None:
        origin = self._origin(node, 1)
        plain = len(node.input) <= 5 and not any(one.name == "qkv_hidden_sizes" for one in node.attribute)
        if origin is None or origin.transposed or not plain:
            return None
        scaled = self.packer.scaled(origin.weight, Form(self._kind, 1, 1 if self._options.per_channel else None))
        if scaled is None:
            return None
        before, (values, scale, zero) = self._activation(node.input[0])
        mask, past = (node.input[index] if len(node.input) > index else "" for index in (3, 4))
        copy = type(node)(op_type="QAttention", domain=_MICROSOFT, name=node.name, output=node.output)
        copy.input.extend([values, scaled.values, node.input[2], scale, scaled.scale, mask, zero, scaled.zero, past])
        copy.attribute.extend(node.attribute)
        return [*before, copy]


def _stays(node: Any) -> None:
    return None
