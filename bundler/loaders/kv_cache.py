"""kv_cache: what a decoder remembers of a text in half the bytes, or a quarter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..graph.generation import generation_of
from ..graph.model import Model
from .base import Context, Skip


@dataclass(frozen=True, slots=True)
class KvCache:
    """Like keeping a big client-side store small: weights stay, what each token of a text adds to memory shrinks."""

    name: ClassVar[str] = "kv_cache"
    version: ClassVar[str] = "2"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx")
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = 0.95
    warn_cosine: ClassVar[float] = 0.995
    recodes_cache: ClassVar[bool] = True

    dtype: Literal["float16", "int8"] = "float16"
    """float16 is as good as exact. int8 gives each token one scale a head; for wasm: GPUs have no kernels for it."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Rewrites the graph: `past_key_values.*` and `present.*` get another type; no other input or output does."""
        from ..graph.edit import Edit
        from .recoding import Eighths, Halved, recode

        before = generation_of(model.signature, model.signature)
        if before is None:
            raise Skip("it has no KV cache: no inputs past_key_values.N.key with outputs present.N.key")
        if before.dtype not in ("float32", "float16") or before.dtype == self.dtype:
            raise Skip(f"its KV cache is {before.dtype} already")
        edit = Edit(model, context.scratch)
        if not edit.reach_opset(18):
            raise Skip("it cannot be brought to operator set 18")
        recode(edit, before, Halved(edit) if self.dtype == "float16" else Eighths(edit, before))
        return edit.close()
