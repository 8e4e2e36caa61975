"""dce: dead code elimination, down from the outputs that the page needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from ..catalogue import problem
from ..config.suggest import closest, listing
from ..errors import StepError, printable
from ..graph.model import Model
from .base import Context
from .regression import amount


@dataclass(frozen=True, slots=True)
class Dce:
    """Like tree shaking: what no output needs goes."""

    name: ClassVar[str] = "dce"
    version: ClassVar[str] = "2"
    tools: ClassVar[tuple[str, ...]] = ("onnx-ir", "onnx")
    max_error: ClassVar[float] = 0.0
    min_cosine: ClassVar[float] = 0.9999
    warn_cosine: ClassVar[float] = 0.9999
    drops_ports: ClassVar[bool] = True

    outputs: tuple[str, ...] = ()
    """The outputs to keep; empty: all. An input that only the others needed goes with them."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Says what went. Raises StepError (MB312) for an output that there is not."""
        _check(self.outputs, model, context)
        edited = model.to_ir()
        used = {value for value in edited.graph.inputs if value.uses()}
        if self.outputs:
            _keep(edited.graph.outputs, lambda value: value.name in self.outputs)
        _shake(edited)
        _keep(edited.graph.inputs, lambda value: value.uses() or value not in used or value.is_graph_output())
        result = model.with_ir(edited, context.scratch)
        gone = "; ".join(_gone(model, result))
        if not gone:
            return model
        context.log(printable(gone, 400))
        return result


def _check(outputs: tuple[str, ...], model: Model, context: Context) -> None:
    known = [port.name for port in model.signature.outputs]
    wrong = [name for name in outputs if name not in known]
    if wrong:
        near = closest(wrong[0], known)
        fix = f"Did you mean {near!r}?" if near else f"It has {listing(known, 'and')}."
        what = f"dce: the model has no output {printable(wrong[0], 80)!r}"
        raise StepError(problem("MB312", what, fix=printable(fix, 300), entry=context.entry, step="dce"))


def _keep(ports: Any, wanted: Any) -> None:
    """In place: `ports` is a graph's own list."""
    for value in [value for value in ports if not wanted(value)]:
        ports.remove(value)


def _shake(edited: Any) -> None:
    from onnx_ir.passes import common

    common.RemoveUnusedNodesPass()(edited)
    common.RemoveUnusedFunctionsPass()(edited)  # type: ignore[no-untyped-call]
    common.RemoveUnusedOpsetsPass()(edited)


def _gone(before: Model, after: Model) -> Iterator[str]:
    """What `after` lacks, in parts of a sentence."""
    for kind in ("outputs", "inputs"):
        left = {port.name for port in getattr(after.signature, kind)}
        names = [port.name for port in getattr(before.signature, kind) if port.name not in left]
        if names:
            yield f"without {kind[: -1 if len(names) == 1 else None]} {listing(names, 'and')}"
    ops = Counter(dict(before.ops)) - Counter(dict(after.ops))
    if ops:
        kinds = ", ".join(f"{count} {op}" for op, count in ops.most_common(6))
        yield f"{ops.total()} node{'s' * (ops.total() > 1)} ({kinds})"
    kept = {weight.name for weight in after.weights}
    weights = [weight for weight in before.weights if weight.name not in kept]
    if weights:
        names = [weight.name for weight in sorted(weights, key=lambda weight: -weight.region.length)]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"{amount(sum(w.region.length for w in weights))} of weights ({', '.join(names[:3])}{more})"
    if not ops and not weights and len(after.skeleton) < len(before.skeleton):
        yield f"{len(before.skeleton) - len(after.skeleton)} bytes of unused declarations"
