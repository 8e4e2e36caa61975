"""quantize_dynamic: weights to 8-bit integers, activations quantized while the model runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..errors import printable
from ..graph.model import Model
from .base import Context, Skip

_QUANTIZED = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "ConvInteger",
    "QLinearConv",
    "QLinearMatMul",
    "com.microsoft::DynamicQuantizeLSTM",
    "com.microsoft::DynamicQuantizeMatMul",
    "com.microsoft::GatherBlockQuantized",
    "com.microsoft::MatMulIntegerToFloat",
    "com.microsoft::MatMulNBits",
)
_QUANTIZABLE = ("Conv", "MatMul", "Gemm", "Gather", "LSTM", "com.microsoft::Attention")
_INLINE_LIMIT = 1 << 30
"""Bytes. Larger results are saved with external data: protobuf cannot hold 2 GiB."""


@dataclass(frozen=True, slots=True)
class QuantizeDynamic:
    """Like image compression: about a quarter of the bytes, outputs that are close to the source's."""

    name: ClassVar[str] = "quantize_dynamic"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")
    # Generated inputs are harder on a quantized model than real ones, so the error alone never rolls it back; an output
    # that points elsewhere does.
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = 0.8
    warn_cosine: ClassVar[float] = 0.99

    weight_type: Literal["auto", "int8", "uint8"] = "auto"
    """"auto" takes uint8 where the model has convolutions, which onnxruntime-web lacks int8 kernels for."""
    per_channel: bool = False
    """One scale a row instead of one a tensor: closer, slightly bigger."""
    ops: tuple[str, ...] = ()
    """Op types to quantize; empty: all that can be."""
    reduce_range: bool = False
    """7-bit weights, for processors without VNNI where 8 bits overflow."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """The stock tool, from file to file in the step's folder."""
        self._refuse(model)
        from ..graph.read import read_result
        from .skeleton import constants_as_initializers, without_additions

        folder = os.path.join(context.scratch, "quantized")
        os.mkdir(folder)
        output = os.path.join(folder, "quantized.onnx")
        source = _source(constants_as_initializers(model), folder)
        self._quantize(source, output, model)
        result = read_result(output, folder, max_opset=context.target_opset, max_ir=context.target_ir)
        if not any(op in dict(result.ops) for op in _QUANTIZED):
            raise Skip("none of its weights can be quantized")
        return without_additions(result, model)

    def _refuse(self, model: Model) -> None:
        from .skeleton import has_sparse

        ops = dict(model.ops)
        done = [op for op in _QUANTIZED if op in ops]
        if done:
            raise Skip(f"it is quantized already ({done[0].rpartition(':')[2]})")
        wanted = self.ops or _QUANTIZABLE
        if not any(op.rpartition(":")[2] in wanted for op in ops):
            raise Skip(f"it has none of {', '.join(op.rpartition(':')[2] for op in wanted)}")
        if has_sparse(model):
            raise Skip("it has sparse weights, which onnxruntime's quantizer cannot read")

    def _quantize(self, source: str, output: str, model: Model) -> None:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        from ..process.memory import is_out_of_memory

        unsigned = self.weight_type == "uint8" or (self.weight_type == "auto" and self._quantizes_conv(model.ops))
        try:
            quantize_dynamic(
                source,
                output,
                op_types_to_quantize=list(self.ops),
                per_channel=self.per_channel,
                reduce_range=self.reduce_range,
                weight_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
                use_external_data_format=model.nbytes > _INLINE_LIMIT,
                extra_options={"EnableSubgraph": _has_branches(model)},
            )
        except Exception as error:
            if is_out_of_memory(error):
                raise
            reason = printable(str(error).strip().partition("\n")[0]) or type(error).__name__
            raise Skip(f"onnxruntime's quantizer refuses it: {reason}") from error

    def _quantizes_conv(self, ops: Iterable[tuple[str, Any]]) -> bool:
        return any(op == "Conv" for op, _ in ops) and (not self.ops or "Conv" in self.ops)


def _has_branches(model: Model) -> bool:
    return any(op in ("If", "Loop", "Scan") for op, _ in model.ops)


def _source(model: Model, folder: str) -> str:
    """A file that the quantizer may write beside. A link, unless weights must move into branches."""
    from ..graph.write import private_copy

    path, copy = os.path.join(folder, "source.onnx"), private_copy(model, folder)
    if not _has_branches(model) or model.nbytes > _INLINE_LIMIT:
        os.symlink(copy, path)
        return path
    import onnx

    from .sink import sink

    proto = onnx.load(copy)
    sink(proto.graph)
    onnx.save(proto, path)
    return path
