"""The rewrite of quantize_weights: products and look-ups on blocks, everything else on rows that are made floats again.

Those are restored by Cast and Mul, not by DequantizeLinear: onnxruntime folds the former when it loads the model, and
would compute the latter in every run (a 3x3 convolution of 256 channels: 4.9 ms against 8.0).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ..graph.attributes import attribute
from ..graph.dtypes import NUMBERS
from .calibrated import Calibration, looked_up
from .kernels.blocks import Blocks
from .kernels.integers import Integers
from .nodes import make_node, right_factor
from .origin import Origin
from .packing import Form, PackedBlocks
from .rewrite import Rewriting
from .split_table import SplitTable

if TYPE_CHECKING:
    from .quantize_weights import QuantizeWeights

_NODE = 384
"""Bytes that another node or initializer takes in the graph, about; a weight that saves less stays."""
ROW_INPUTS: dict[str, tuple[int, ...]] = {
    "Attention": (1,),
    "Concat": (0, 1, 2, 3, 4, 5, 6, 7),
    "Conv": (1,),
    "ConvTranspose": (1,),
    "FusedConv": (1,),
    "FusedMatMul": (0, 1),
    "Gather": (0,),
    "Gemm": (0, 1),
    "GRU": (1, 2),
    "LSTM": (1, 2),
    "MatMul": (0, 1),
    "Reshape": (0,),
    "RNN": (1, 2),
    "Slice": (0,),
    "Split": (0,),
    "Squeeze": (0,),
    "Unsqueeze": (0,),
}
"""Operator -> inputs that may be large weights, for what no block-wise operator exists for. An exporter's LSTM gets its
weights through Slice, Concat and Unsqueeze."""
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "FusedConv"})
_MICROSOFT = "com.microsoft"
_TABLE = 64 << 10
"""Bytes of a table below which it is not worth a dozen nodes to cut it in two."""


class BlockWise:
    """One run of the loader."""

    def __init__(
        self,
        options: QuantizeWeights,
        rewriting: Rewriting,
        wanted: frozenset[str],
        calibration: Calibration | None = None,
    ) -> None:
        self._options, self._rewriting, self._wanted = options, rewriting, wanted
        self._calibration = calibration
        self._edit, self._origins, self.packer = rewriting.edit, rewriting.origins, rewriting.packer
        self._restored: dict[tuple[Origin, int], str] = {}

    def begin(self) -> None:
        """Nothing is kept for a graph."""

    def replace(self, node: Any) -> list[Any] | None:
        """See `rewrite.Step`."""
        if node.domain not in ("", _MICROSOFT) or node.op_type not in ROW_INPUTS:
            return None
        if node.op_type == "Gather":
            return self._gather(node) if self._options.embeddings else None
        return self._product(node) or self._columns(node) or self._restoring(node)

    def _origin(self, name: str) -> Origin | None:
        """What `name` is, if it is one of the weights that shall be quantized."""
        origin = self._origins.get(name)
        return origin if origin is not None and origin.weight.name in self._wanted else None

    def _product(self, node: Any) -> list[Any] | None:
        """MatMul, Gemm and FusedMatMul as MatMulNBits; a bias is added by a node of its own."""
        right = right_factor(node)
        origin = self._origin(node.input[1]) if right is not None else None
        if origin is None or len(origin.shape) != 2:
            return None
        packed = self._packed(origin, transposed=origin.transposed != right)
        if packed is None:
            return None
        bias = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else ""
        output = self._edit.fresh(f"{node.output[0]}_product") if bias else node.output[0]
        narrow = packed.stored == "float16" and origin.dtype == "float32"
        nodes = [self._matmul(node, packed, self._wide(packed) if narrow else packed.scales, output)]
        return [*nodes, make_node("Add", [output, bias], node.output[0])] if bias else nodes

    def _matmul(self, node: Any, packed: PackedBlocks, scales: str, output: str) -> Any:
        self._edit.need(_MICROSOFT, 1)
        kind = packed.kind
        weight = self._edit.refer(f"{node.input[1]}_blocks", "uint8", kind.shape(packed.k, packed.n), packed.region)
        inputs = [node.input[0], weight, scales] + [packed.zeros] * bool(packed.zeros)
        numbers = {"K": packed.k, "N": packed.n, "bits": kind.bits, "block_size": kind.size}
        return make_node("MatMulNBits", inputs, output, node.name, _MICROSOFT, **numbers)

    def _wide(self, packed: PackedBlocks) -> str:
        """Scales that are stored in 16 bits, as the product takes them. onnxruntime does it once, when it loads."""
        wide = self._edit.fresh(f"{packed.scales}_wide")
        self._rewriting.prelude.append(make_node("Cast", [packed.scales], wide, to=NUMBERS["float32"]))
        return wide

    def _gather(self, node: Any) -> list[Any] | None:
        """A table of rows that blocks fit into; else each row gets one scale."""
        origin = self._origin(node.input[0])
        if origin is None or origin.transposed or attribute(node, "axis", 0) != 0:
            return None
        split = self._split(node, origin)
        if split is not None:
            return split
        packed = self._packed(origin, transposed=True, fitting=True) if len(origin.shape) == 2 else None
        if packed is None:
            return self._gather_rows(node, origin) if len(origin.shape) >= 2 else None
        self._edit.need(_MICROSOFT, 1)
        kind = packed.kind
        shape = (packed.n, packed.k * kind.bits // 8)
        table = self._edit.refer(f"{node.input[0]}_table", "uint8", shape, packed.region)
        inputs = [table, node.input[1], packed.scales] + [packed.zeros] * bool(packed.zeros)
        numbers = {"bits": kind.bits, "block_size": kind.size, "gather_axis": 0, "quantize_axis": 1}
        return [make_node("GatherBlockQuantized", inputs, node.output[0], node.name, _MICROSOFT, **numbers)]

    def _split(self, node: Any, origin: Origin) -> list[Any] | None:
        """Two tables: rows that were looked up in 8 bits, the others in few; and which row went where."""
        if origin.weight.region.length < _TABLE:
            return None
        rows = looked_up(self._calibration, origin.weight.name, origin.shape[0])
        kind = self._kind(origin.shape[-1], fitting=True)
        if rows is None or kind is None or kind.bits == 8 or origin.dtype != "float32" or self._edit.opset() < 13:
            return None
        table = SplitTable(self._edit, self.packer, origin.weight, rows, kind)
        return table.nodes(node) if table.whole else None

    def _gather_rows(self, node: Any, origin: Origin) -> list[Any] | None:
        rows = self.packer.rows(origin.weight, 1, dtype=origin.dtype) if self._saves_rows(origin, 1) else None
        if rows is None:
            return None
        names = [self._edit.fresh(f"{node.output[0]}_{part}") for part in ("integers", "floats", "scales")]
        return [
            make_node("Gather", [rows.values, node.input[1]], names[0], node.name),
            make_node("Cast", [names[0]], names[1], to=NUMBERS[origin.dtype]),
            make_node("Gather", [rows.scales, node.input[1]], names[2]),
            make_node("Mul", [names[1], names[2]], node.output[0]),
        ]

    def _columns(self, node: Any) -> list[Any] | None:
        """A product with one scale for each output: what it is made floats again from is closest that way."""
        origin = self._origin(node.input[1]) if right_factor(node) is False else None
        if origin is None or origin.transposed or len(origin.shape) != 2 or self._options.block_size != "row":
            return None
        floats = self._of_columns(origin)
        if not floats:
            return None
        copy = type(node)()
        copy.CopyFrom(node)
        copy.input[1] = floats
        return [copy]

    def _of_columns(self, origin: Origin) -> str:
        key = (origin, -1)
        if (
            key not in self._restored
            and prod(origin.shape) + 4 * origin.shape[1] + 3 * _NODE < origin.weight.region.length
        ):
            scaled = self.packer.scaled(origin.weight, Form(Integers(signed=True), rows=1, axis=1))
            self._restored[key] = self._multiplied(origin, scaled.values, scaled.scale) if scaled else ""
        return self._restored.get(key, "")

    def _multiplied(self, origin: Origin, values: str, scale: str) -> str:
        """In the main graph, where every graph sees it."""
        cast, floats = (self._edit.fresh(f"{origin.weight.name}_{part}") for part in ("floats", "restored"))
        self._rewriting.prelude += [
            make_node("Cast", [values], cast, to=NUMBERS["float32"]),
            make_node("Mul", [cast, scale], floats),
        ]
        if origin.dtype == "float32":
            return floats
        narrow = self._edit.fresh(f"{origin.weight.name}_narrow")
        self._rewriting.prelude.append(make_node("Cast", [floats], narrow, to=NUMBERS[origin.dtype]))
        return narrow

    def _restoring(self, node: Any) -> list[Any] | None:
        """The node on weights that are made floats again: onnxruntime does it once, when it loads the model."""
        inputs = list(node.input)
        for index in ROW_INPUTS[node.op_type]:
            origin = self._origin(inputs[index]) if index < len(inputs) else None
            if origin is not None and not origin.transposed and len(origin.shape) >= 2:
                inputs[index] = self._floats(origin, _row_axes(node, origin)) or inputs[index]
        if inputs == list(node.input):
            return None
        copy = type(node)()
        copy.CopyFrom(node)
        copy.input[:] = inputs
        return [copy]

    def _floats(self, origin: Origin, axes: int) -> str:
        """The name of a value in the main graph that is `origin` after rounding, or "" when it does not pay."""
        key = (origin, axes)
        if key not in self._restored:
            self._restored[key] = ""
            rows = self.packer.rows(origin.weight, axes, dtype=origin.dtype) if self._saves_rows(origin, axes) else None
            if rows is not None:
                cast, floats = (self._edit.fresh(f"{origin.weight.name}_{part}") for part in ("floats", "restored"))
                self._rewriting.prelude += [
                    make_node("Cast", [rows.values], cast, to=NUMBERS[origin.dtype]),
                    make_node("Mul", [cast, rows.scales], floats),
                ]
                self._restored[key] = floats
        return self._restored[key]

    def _packed(self, origin: Origin, *, transposed: bool, fitting: bool = False) -> PackedBlocks | None:
        weight = origin.weight
        k, n = weight.shape[::-1] if transposed else weight.shape
        kind = self._kind(k, fitting)
        if kind is None or not self._saves(origin, kind, k, n):
            return None
        squares = self._calibration.of(weight.name) if self._calibration is not None and not fitting else None
        if squares is not None and k % kind.size == 0:
            return self.packer.compensated(weight, kind, self._calibration, transposed=transposed, dtype="float16")
        return self.packer.blocks(weight, kind, transposed=transposed, dtype=origin.dtype)

    def _kind(self, k: int, fitting: bool) -> Blocks | None:
        """`fitting`: K must be made of whole blocks, so the blocks may be smaller than asked for."""
        if self._options.block_size == "row":
            return None
        size = int(self._options.block_size)
        while fitting and size >= 16 and k % size:
            size //= 2
        return Blocks(self._options.bits, size, self._options.symmetric) if size >= 16 else None

    def _saves(self, origin: Origin, kind: Blocks, k: int, n: int) -> bool:
        scales = n * kind.count(k) * (4 if origin.dtype == "float32" else 2)
        zeros = 0 if kind.symmetric else prod(kind.zeros_shape(k, n))
        return prod(kind.shape(k, n)) + scales + zeros + 2 * _NODE < origin.weight.region.length

    def _saves_rows(self, origin: Origin, axes: int) -> bool:
        values, rows = prod(origin.weight.shape), prod(origin.weight.shape[:axes])
        return values + 4 * rows + 3 * _NODE < origin.weight.region.length


def _row_axes(node: Any, origin: Origin) -> int:
    """How many axes point at a row: the filters of a convolution, else vectors along the last axis."""
    return 1 if node.op_type in _CONVOLUTIONS else len(origin.shape) - 1
