"""quantize_dynamic: weights to 8-bit integers, activations quantized while the model runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

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
_QUANTIZABLE = ("Conv", "MatMul", "FusedMatMul", "Gemm", "Gather", "LSTM", "Attention")
_DYNAMIC_QUANTIZE_LINEAR = 11
"""The operator set that has it."""


@dataclass(frozen=True, slots=True)
class QuantizeDynamic:
    """Like image compression: about a quarter of the bytes, outputs that are close to the source's."""

    name: ClassVar[str] = "quantize_dynamic"
    version: ClassVar[str] = "2"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx")
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
        """Rewrites the graph; the integers are those of onnxruntime's quantizer, computed from file to file."""
        self._refuse(model)
        from .dynamic import Dynamic
        from .rewrite import rewrite

        unsigned = self.weight_type == "uint8" or (self.weight_type == "auto" and self._quantizes_conv(model))
        result, step = rewrite(
            model,
            context.scratch,
            lambda rewriting: Dynamic(self, rewriting, unsigned=unsigned),
            least_opset=_DYNAMIC_QUANTIZE_LINEAR,
        )
        odd = [f'weight "{printable(name, 60)}" holds infinity or NaN' for name in sorted(step.packer.odd)]
        if result is None:
            raise Skip(odd[0] if odd else "none of its weights can be quantized")
        for line in odd:
            context.log(f"{line}: it stays")
        return result

    def _refuse(self, model: Model) -> None:
        ops = dict(model.ops)
        done = [op for op in _QUANTIZED if op in ops]
        if done:
            raise Skip(f"it is quantized already ({done[0].rpartition(':')[2]})")
        wanted = self.ops or _QUANTIZABLE
        if not any(op.rpartition(":")[2] in wanted for op in ops):
            raise Skip(f"it has none of {', '.join(op.rpartition(':')[2] for op in wanted)}")

    def _quantizes_conv(self, model: Model) -> bool:
        return "Conv" in dict(model.ops) and (not self.ops or "Conv" in self.ops)
