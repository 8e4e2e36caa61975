"""The stages one after the other against the whole, in native onnxruntime without its optimizations.

Without them, because the two then run the same kernels on the same numbers: what differs is the cut's fault and not
that of a fusion which the cut came between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..graph.model import Model
from ..loaders.verify.agreement import Agreement
from ..loaders.verify.baseline import Baseline
from ..loaders.verify.cache import stored
from ..loaders.verify.compare import compare
from ..loaders.verify.feeds import Array, Feeds, first_line
from ..loaders.verify.samples import left_of, load
from ..loaders.verify.scales import of_model
from ..loaders.verify.session import Runner


def compared(model: Model, stages: Sequence[Model], baseline: Baseline) -> Agreement | None:
    """None: there is nothing to run them on. The child's function."""
    outputs = left_of(baseline, model.signature)
    if not outputs or not baseline.path:
        return None
    try:
        return compare(outputs, _pairs(model, stages, baseline, outputs), baseline.probabilities)
    except _Fails as error:
        return Agreement(float("inf"), float("inf"), -1.0, "", 0, str(error))


class _Fails(Exception):
    pass


def _pairs(
    model: Model, stages: Sequence[Model], baseline: Baseline, outputs: tuple[str, ...]
) -> Iterator[tuple[list[Array], list[Array]]]:
    whole, scales = Runner(model), of_model(model)
    parts = [(Runner(stage), stage) for stage in stages]
    for sample, _ in load(baseline, model.signature):
        feeds = stored(sample, model.signature.inputs, scales)
        expected = whole.run_for(outputs, feeds)
        try:
            values = _chained(parts, feeds)
        except Exception as error:
            raise _Fails(f"a stage fails where the whole runs: {first_line(error)}") from error
        yield expected, [values[name] for name in outputs]


def _chained(parts: Sequence[tuple[Runner, Model]], feeds: Feeds) -> dict[str, Array]:
    values: dict[str, Array] = dict(feeds)
    for runner, stage in parts:
        names = tuple(port.name for port in stage.signature.outputs)
        given = {port.name: values[port.name] for port in stage.signature.inputs}
        values |= dict(zip(names, runner.run_for(names, given), strict=True))
    return values
