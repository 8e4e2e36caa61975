"""split: code splitting for a graph. What it is asked for; `bundler.split` does it, after every other step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from ..config.options import Range, Unit
from ..graph.model import Model
from .base import Context


@dataclass(frozen=True, slots=True)
class Split:
    """Like code splitting: the model in stages, each loaded when something needs it. Stands last in a list, and takes
    one of `at`, `stages` and `max_bytes`, or `by="encoder"`."""

    name: ClassVar[str] = "split"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")
    max_error: ClassVar[float] = 0.0
    min_cosine: ClassVar[float] = 0.9999
    warn_cosine: ClassVar[float] = 0.9999

    at: tuple[str, ...] = ()
    """Names of values, such as outputs: all that the first needs is a stage, what the next needs beyond that is one,
    ..., and the rest is the last."""
    stages: Annotated[int | None, Range(2, 64)] = None
    """How many, as equal in size as cuts allow across which little is handed on."""
    max_bytes: Annotated[int | None, Unit("size")] = None
    """Of weights in one stage, "8 MB"; the cuts with the least crossing bytes are taken. A variant that fits in one
    stage is not cut, an operator that has more by itself gets a stage."""
    by: Literal["auto", "bytes", "layers", "encoder"] = "auto"
    """What is made equal with `stages`: "bytes" of weights, as "auto" means too, or the number of "layers" (operators
    with weights). "encoder", by itself: all that is done once for a text, and what is done for each token; that is how
    an encoder-decoder is split where no list says it."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """No step of the chain: the model stays whole until every other step is done."""
        return model
