"""prune: what contributes least goes, as zeros that compress, or whole parts of the graph."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ..catalogue import problem
from ..config.options import Range
from ..errors import StepError
from ..graph.model import Model
from .base import Context, Skip

if TYPE_CHECKING:
    from .pruning.magnitude import Sparse

_QUANTIZED = "Quant|QLinear|QGemm|QAttention|Integer|NBits"
_STRUCTURED = ("structured", "heads", "neurons", "channels", "accuracy")
_SPARSITY = 0.5


@dataclass(frozen=True, slots=True)
class Prune:
    """Like dead code elimination: what contributes least goes."""

    name: ClassVar[str] = "prune"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx", "onnxruntime")
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = 0.8
    warn_cosine: ClassVar[float] = 0.99

    sparsity: Annotated[float | None, Range(0.01, 0.99)] = None
    """Share of each product's weights, the smallest, that become zero; 0.5 when no option is given. Saves bytes on the
    wire where chunks are compressed, and nothing else."""
    structured: Annotated[float | None, Range(0.01, 0.95)] = None
    """Share of the FLOPs that shall go, with the heads, neurons and channels that matter least: a smaller and faster
    graph. With `accuracy`: the most that may go."""
    heads: Annotated[float | None, Range(0.01, 0.95)] = None
    """Share of all attention heads that shall go."""
    neurons: Annotated[float | None, Range(0.01, 0.95)] = None
    """Share of all hidden units of fully connected layers that shall go."""
    channels: Annotated[float | None, Range(0.01, 0.95)] = None
    """Share of all convolutions' channels that shall go."""
    accuracy: float | None = None
    """Least value of the entry's golden metric, or of the cosine with the source's outputs where it has none: as much
    goes as keeps it."""
    minutes: Annotated[float, Range(0, 1440)] = 5.0
    """No further trial for `accuracy` is begun after this; a search that was cut says so, and may end elsewhere on
    another machine."""
    tensors: tuple[str, ...] = ()
    """Names of the weights that it is for, or patterns such as "encoder.layer.*"; none: all of products."""

    @property
    def wants_samples(self) -> bool:
        """What is cut out is chosen on them."""
        return any(getattr(self, name) is not None for name in _STRUCTURED)

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Says what went and what that saves. Raises StepError (MB131) for options that contradict each other."""
        self._check(context)
        if quantized(model):
            raise Skip(quantized(model))
        if self.wants_samples:
            from .pruning.structured import structured

            return structured(self, model, context)
        return self._sparse(model, context)

    def _check(self, context: Context) -> None:
        given = [name for name in _STRUCTURED if getattr(self, name) is not None]
        kinds = [name for name in given if name in ("heads", "neurons", "channels")]
        pair = ("sparsity", given[0]) if self.sparsity is not None and given else None
        pair = pair or (("structured", kinds[0]) if self.structured is not None and kinds else None)
        if pair is not None:
            what = f"prune takes `{pair[0]}` or `{pair[1]}`, not both"
            fix = "Leave one of them out, or write two steps: prune(...), prune(...)."
            raise StepError(problem("MB131", what, fix=fix, entry=context.entry, step=self.name))

    def _sparse(self, model: Model, context: Context) -> Model:
        from .pruning.magnitude import sparse
        from .quantize_weights import chosen

        names = chosen(self.tensors, model, context.entry, self.name)
        found = sparse(model, context.scratch, self.sparsity or _SPARSITY, names)
        if found is None:
            raise Skip("no float weight of 1 KiB or more in its products has so few zeros")
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
