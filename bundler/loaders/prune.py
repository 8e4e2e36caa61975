"""prune: weights that matter least go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ..config.options import Range
from ..graph.model import Model
from .base import Context, Skip

if TYPE_CHECKING:
    from .pruning.magnitude import Sparse

_QUANTIZED = "Quant|QLinear|QGemm|QAttention|Integer|NBits"


@dataclass(frozen=True, slots=True)
class Prune:
    """Like dead code elimination: what contributes least goes."""

    name: ClassVar[str] = "prune"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx")
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = 0.8
    warn_cosine: ClassVar[float] = 0.99

    sparsity: Annotated[float, Range(0.01, 0.99)] = 0.5
    """Share of each product's weights, the smallest, that become zero. Saves bytes on the wire where chunks are
    compressed, and nothing else."""
    tensors: tuple[str, ...] = ()
    """Names of the weights that it is for, or patterns such as "encoder.layer.*"; none: all of products."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Says what the zeros save."""
        from .pruning.magnitude import sparse
        from .quantize_weights import chosen

        found = sparse(model, context.scratch, self.sparsity, chosen(self.tensors, model, context.entry, self.name))
        if found is None:
            raise Skip(quantized(model) or "it has no float weights of 1 KiB or more in products")
        context.log(told(found))
        details: dict[str, Any] = {"weights": found.weights, "zeros": found.zeros}
        if found.wire:
            details |= {"encoding": found.wire[0], "wireBefore": found.wire[1], "wireAfter": found.wire[2]}
        context.detail("sparsity", details)
        return found.model


def quantized(model: Model) -> str:
    """Half a sentence when it is, else ""."""
    done = next((op for op, _ in model.ops if re.search(_QUANTIZED, op)), "")
    return f"it is quantized already ({done.rpartition(':')[2]}): put prune before that" if done else ""


def told(found: Sparse) -> str:
    """What was done and what it is worth, in one line."""
    count = f"{found.weights / 1e6:.1f} M" if found.weights >= 1e5 else f"{found.weights / 1e3:.0f} k"
    done = f"{found.zeros / found.weights:.0%} of {count} weights are zeros, as many bytes as before"
    if found.wire is None:
        return f"{done}; they pay only with Output(compress=...)"
    encoding, before, after = found.wire
    saved = f"takes {1 - after:.0%} off them on the wire ({1 - before:.0%} unpruned)"
    return f'{done}; Output(compress=["{encoding}"]) {saved}'
