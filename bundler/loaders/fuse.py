"""fuse: several operators become one, with onnxruntime's offline optimizer and its fusions for transformers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..errors import printable
from ..graph.model import Model
from ..graph.session import Level
from .base import Context, Skip
from .regression import grows

_LEFT_OUT = ("AttentionFusion", "EmbedLayerNormFusion")
"""onnxruntime's own: Attention with a mask is refused on WebGPU (ours is MultiHeadAttention), and an embedding inside
EmbedLayerNormalization is out of reach for every quantizer."""
LEVELS: dict[str, Level] = {"extended": "extended", "basic": "basic"}
_NOTHING_LEFT = "nothing in it can be fused"


@dataclass(frozen=True, slots=True)
class Fuse:
    """Like scope hoisting: fewer, larger operators, so fewer passes over memory. The same numbers but for rounding."""

    name: ClassVar[str] = "fuse"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")
    # float32 models stay below 1e-6; one that is quantized already rounds elsewhere (1e-3 on a speech model).
    max_error: ClassVar[float] = 5e-3
    min_cosine: ClassVar[float] = 0.9999
    warn_cosine: ClassVar[float] = 0.9999

    attention: bool = True
    """Fuse a transformer's attention into MultiHeadAttention."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """The most fused of what onnxruntime makes that a browser can run and that is no bigger."""
        from .tied import keep_tied

        if any(weight.dtype == "float16" for weight in model.weights):
            raise Skip("its weights are float16, around which onnxruntime puts casts: put fuse() before float16()")
        kept = keep_tied(model, context.scratch)
        reasons: list[str] = []
        for name, result in self._candidates(kept, context, reasons):
            reason = _objection(model, result)
            if not reason:
                return result if result.nodes < model.nodes or result.nbytes < model.nbytes else model
            reasons.append(f"{name}: {reason}")
        raise Skip(printable("; ".join(reasons) or _NOTHING_LEFT))

    def _candidates(self, model: Model, context: Context, reasons: list[str]) -> Iterator[tuple[str, Model]]:
        """From the most fused to the least; one that a library refuses is left out, with its reason."""
        from .transformer import has_attention

        if self.attention and has_attention(model):
            result = _tried(_with_attention, model, context, "attention", reasons)
            if result is not None:
                yield "attention", result
        for level in LEVELS:
            result = _tried(_optimized, model, context, level, reasons)
            if result is not None:
                yield level, result


def _objection(before: Model, after: Model) -> str:
    from .web import lacking, version

    if grows(before, after):
        return "makes the model bigger"
    new = [fault for fault in lacking(after) if fault not in lacking(before)]
    return f"onnxruntime-web {version()} has no kernel for {', '.join(new)}" if new else ""


def _tried(
    make: Callable[[Model, Context, str], Model | None], model: Model, context: Context, name: str, reasons: list[str]
) -> Model | None:
    from ..process.memory import is_out_of_memory

    try:
        return make(model, context, name)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        reasons.append(f"{name}: onnxruntime refuses it: {str(error).strip().partition(chr(10))[0]}")
        return None


def _with_attention(model: Model, context: Context, name: str) -> Model | None:
    from . import transformer

    fused = transformer.fused(model, context)
    if fused.nodes >= model.nodes:
        return None
    result = _optimized(fused, context, "extended", name)
    return result if transformer.agrees(model, result, context) else None


def _optimized(model: Model, context: Context, level: str, name: str = "") -> Model:
    """What a session at this level runs, written to the folder `name`.

    Never "all": that writes operators for the CPU of this machine.
    """
    from ..graph.read import read_result
    from ..graph.session import optimize_to
    from .skeleton import without_additions

    folder = os.path.join(context.scratch, name or level)
    os.mkdir(folder)
    path = os.path.join(folder, "optimized.onnx")
    optimize_to(model, path, level=LEVELS[level], leave_out=_LEFT_OUT)
    result = read_result(path, folder, max_opset=context.target_opset, max_ir=context.target_ir)
    return without_additions(result, model)
