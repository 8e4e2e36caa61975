"""quantize_dynamic: weights to 8-bit integers, activations quantized while the model runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class QuantizeDynamic:
    """Like image compression: about a quarter of the bytes, outputs that are close to the source's."""

    name: ClassVar[str] = "quantize_dynamic"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")
    max_error: ClassVar[float] = 0.1

    weight_type: Literal["auto", "int8", "uint8"] = "auto"
    """"auto" takes uint8 where the model has convolutions, which onnxruntime-web lacks int8 kernels for."""
    per_channel: bool = False
    """One scale a row instead of one a tensor: closer, slightly bigger."""
    ops: tuple[str, ...] = ()
    """Op types to quantize; empty: all that can be."""
    reduce_range: bool = False
    """7-bit weights, for processors without VNNI where 8 bits overflow."""
