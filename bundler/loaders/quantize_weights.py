"""quantize_weights: weights as 8- or 4-bit integers, everything that is computed in floats as before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..errors import printable
from ..graph.model import Model
from .base import Context, Skip


@dataclass(frozen=True, slots=True)
class QuantizeWeights:
    """Like image compression at a higher quality: activations stay exact, so it is closer than `quantize_dynamic`."""

    name: ClassVar[str] = "quantize_weights"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx")
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = 0.8
    warn_cosine: ClassVar[float] = 0.99

    bits: Literal[8, 4] = 8
    """4 halves the bytes of 8 once more, and is measurably less exact."""
    block_size: Literal[16, 32, 64, 128, 256] = 32
    """Weights that share one scale; smaller is closer and bigger (a scale takes 32 bits)."""
    symmetric: bool = True
    """False gives each block a zero point too: closer, slightly bigger."""
    embeddings: bool = True
    """False leaves the tables that tokens are looked up in alone."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Rewrites the graph; the integers are computed from file to file."""
        from .blockwise import BlockWise
        from .rewrite import rewrite

        if not model.weights:
            raise Skip("it has no weights of 1 KiB or more")
        result, step = rewrite(model, context.scratch, lambda rewriting: BlockWise(self, rewriting))
        odd = [f'weight "{printable(name, 60)}" holds infinity or NaN' for name in sorted(step.packer.odd)]
        if result is None:
            raise Skip(odd[0] if odd else "none of its weights gets smaller")
        for line in odd:
            context.log(f"{line}: it stays")
        return result
