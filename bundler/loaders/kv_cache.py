"""kv_cache: what a decoder remembers of a text in half the bytes, a quarter or an eighth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..catalogue import problem
from ..errors import StepError
from ..graph.generation import Generation, generation_of
from ..graph.model import Model
from .base import Context, Skip


@dataclass(frozen=True, slots=True)
class KvCache:
    """Like keeping a big client-side store small: weights stay, what each token of a text adds to memory shrinks."""

    name: ClassVar[str] = "kv_cache"
    version: ClassVar[str] = "3"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx")
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = 0.95
    warn_cosine: ClassVar[float] = 0.995
    recodes_cache: ClassVar[bool] = True

    dtype: Literal["float16", "int8", "int4"] | None = "float16"
    """float16 is as good as exact. int8 and int4 are for wasm: GPUs have no kernels for them. Where attention is
    GroupQueryAttention the operator reads and writes them, with scales from the entry's samples; elsewhere int8 gives
    each token one scale a head, and there is no int4. None: the graph's own."""
    webgpu_bits: Literal[0, 4, 8] = 0
    """With dtype=None: what a session on WebGPU is asked to keep of each value; 0: all of it. For GroupQueryAttention,
    and for an onnxruntime-web that hands its GPU backend kvCacheQuantizationBits: 1.30 does not."""

    @property
    def wants_samples(self) -> bool:
        """Scales inside an operator are fixed before the first text."""
        return self.dtype in ("int8", "int4")

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Rewrites the graph: `past_key_values.*` and `present.*` get another type; no other input or output does."""
        before = generation_of(model.signature, model.signature)
        if before is None:
            raise Skip("it has no KV cache: no inputs past_key_values.N.key with outputs present.N.key")
        if self.webgpu_bits or self.dtype is None:
            return self._asking(model, context, before)
        if before.webgpu_bits:
            raise Skip("a session on WebGPU decides on its KV cache already")
        if before.dtype not in ("float32", "float16") or before.dtype == self.dtype:
            raise Skip(f"its KV cache is {before.dtype} already")
        if self.dtype == "int4" and not before.in_place:
            raise Skip("its attention is not GroupQueryAttention, the one operator that keeps a cache in 4 bits")
        if self.dtype != "float16" and before.in_place:
            try:
                return _inside(model, context, before, 4 if self.dtype == "int4" else 8)
            except Skip as reason:
                if self.dtype == "int4":
                    raise
                context.log(f"converted around GroupQueryAttention, not inside: {reason}")
        return _around(model, context, before, half=self.dtype == "float16")

    def _asking(self, model: Model, context: Context, before: Generation) -> Model:
        """Raises StepError (MB131) where the graph's cache were to change, too."""
        from ..graph.edit import Edit
        from .session_cache import leave_open

        if self.dtype is not None:
            what = "kv_cache takes `webgpu_bits` or another `dtype`, not both"
            fix = f"Write kv_cache(None, webgpu_bits={self.webgpu_bits}), and the other dtype in another variant."
            raise StepError(problem("MB131", what, fix=fix, entry=context.entry, step=self.name))
        if not self.webgpu_bits:
            raise Skip("it is to keep its dtype, and webgpu_bits is 0")
        edit = Edit(model, context.scratch)
        leave_open(edit, before, self.webgpu_bits)
        context.log("for an onnxruntime-web that hands its GPU backend kvCacheQuantizationBits; 1.30 keeps all bits")
        return edit.close()


def _inside(model: Model, context: Context, before: Generation, bits: Literal[8, 4]) -> Model:
    """Raises Skip: there is nothing to calibrate on, or the operator does not fit."""
    from ..graph.edit import Edit
    from .grouped import quantize
    from .peaks import ENOUGH, peaks

    given = context.calibration if context.calibration is not None and not context.calibration.note else context.samples
    found, made_up = peaks(model, before, given)
    edit = Edit(model, context.scratch)
    quantize(edit, before, bits, found)
    if made_up:
        context.log(f"scales come from made-up texts: golden inputs of {ENOUGH} tokens would do better")
    return edit.close()


def _around(model: Model, context: Context, before: Generation, *, half: bool) -> Model:
    from ..graph.edit import Edit
    from .recoding import Eighths, Halved, recode

    edit = Edit(model, context.scratch)
    if not edit.reach_opset(18):
        raise Skip("it cannot be brought to operator set 18")
    recode(edit, before, Halved(edit) if half else Eighths(edit, before))
    return edit.close()
