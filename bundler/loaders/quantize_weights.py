"""quantize_weights: weights as 8- or 4-bit integers, everything that is computed in floats as before."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Literal

from ..catalogue import problem
from ..config.suggest import closest
from ..errors import StepError, printable
from ..graph.model import Model
from .base import Context, Skip

JUDGED = "calibrated on the golden set, which it is judged by, too: Golden(calibration=...) tells how it carries over"


@dataclass(frozen=True, slots=True)
class QuantizeWeights:
    """Like image compression at a higher quality: activations stay exact, so it is closer than `quantize_dynamic`."""

    name: ClassVar[str] = "quantize_weights"
    version: ClassVar[str] = "3"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx")
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = 0.8
    warn_cosine: ClassVar[float] = 0.99

    bits: Literal[8, 4] = 8
    """4 halves the bytes of 8 once more, and is measurably less exact."""
    block_size: Literal[16, 32, 64, 128, 256, "row"] = 32
    """Weights that share one scale; smaller is closer and bigger (a scale takes 32 bits). "row", for 8 bits: one scale
    for each row of a table or matrix; what is not looked up is made floats again when the model is loaded."""
    symmetric: bool = True
    """False gives each block a zero point too: closer, slightly bigger."""
    embeddings: bool = True
    """False leaves the tables that tokens are looked up in alone."""
    calibrate: bool = False
    """Round with the golden inputs in view: what a weight loses, those that are rounded after it make up for, and rows
    of a table that the golden inputs look up stay 8-bit. Closer at the same size; for 4 bits it is worth the time."""
    tensors: tuple[str, ...] = ()
    """Names of the weights that it is for, or patterns such as "encoder.layer.*"; none: all of them."""

    @property
    def wants_samples(self) -> bool:
        return self.calibrate

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Rewrites the graph; the integers are computed from file to file."""
        from .blockwise import BlockWise
        from .calibrated import calibration
        from .rewrite import rewrite

        if not model.weights:
            raise Skip("it has no weights of 1 KiB or more")
        if self.bits == 4 and self.block_size == "row":
            raise Skip('block_size="row" is for 8 bits')
        wanted = chosen(self.tensors, model, context.entry, self.name)
        inputs = context.calibration or context.samples
        if self.calibrate and (inputs is None or not inputs.given):
            raise Skip(_uncalibrated(context))
        seen = calibration(model, inputs) if self.calibrate and inputs else None
        if seen is not None and context.calibration is None:
            context.log(JUDGED)
        result, step = rewrite(model, context.scratch, lambda rewriting: BlockWise(self, rewriting, wanted, seen))
        odd = [f'weight "{printable(name, 60)}" holds infinity or NaN' for name in sorted(step.packer.odd)]
        if result is None:
            raise Skip(odd[0] if odd else "none of its weights gets smaller")
        for line in odd:
            context.log(f"{line}: it stays")
        return result


def _uncalibrated(context: Context) -> str:
    if context.calibration is not None:
        return f"calibrate=True rounds with other inputs in view, and they cannot be used: {context.calibration.note}"
    return "calibrate=True rounds with golden inputs in view, and the entry has none"


def chosen(patterns: tuple[str, ...], model: Model, entry: str, step: str) -> frozenset[str]:
    """Names of the weights that one of `patterns` fits, all when there is none. Raises StepError (MB312) for a pattern
    that fits none. `step`: the loader's name."""
    names = [weight.name for weight in model.weights]
    for pattern in patterns:
        if pattern not in names and not any(fnmatchcase(name, pattern) for name in names):
            near = closest(pattern, names)
            fix = f"Did you mean {near!r}?" if near else None
            what = f"{step}: the model has no weight {printable(pattern, 80)!r}"
            raise StepError(problem("MB312", what, fix=fix, entry=entry, step=step))
    fitting = (name for name in names for pattern in patterns if name == pattern or fnmatchcase(name, pattern))
    return frozenset(fitting if patterns else names)
