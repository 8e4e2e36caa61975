"""The child's function after a step: does the result load, and does it agree with the source?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...graph.gates import check
from ...graph.model import Model
from .agreement import Agreement
from .baseline import Baseline
from .cache import plain, stored
from .compare import Array, compare
from .feeds import first_line
from .measured import Measured
from .metric import Metric
from .samples import left_of, load
from .scales import of_model
from .session import Runner


class _Fails(Exception):
    pass


def examine(
    model: Model, baseline: Baseline, external_ops: tuple[str, ...] = (), metric: Metric | None = None
) -> Agreement | None:
    """None: it loads, and there is nothing to compare with. Raises what the gates raise when it does not load, and
    ConfigError when the entry's metric fails."""
    check(model, external_ops)
    outputs = left_of(baseline, model.signature)
    if not outputs:
        return None
    try:
        return _compared(model, baseline, outputs, metric)
    except _Fails as failure:
        return Agreement(float("inf"), float("inf"), -1.0, "", 0, str(failure))


def _compared(model: Model, baseline: Baseline, outputs: tuple[str, ...], metric: Metric | None) -> Agreement:
    if metric is None:
        return compare(outputs, _pairs(model, baseline, outputs), baseline.probabilities)
    with Measured(metric, baseline, model.signature) as measured:
        pairs = measured.seen(_pairs(model, baseline, outputs, fast=True))
        found = compare(outputs, pairs, baseline.probabilities)
        return found if found.broken else replace(found, metric=measured.value(), metric_name=metric.golden.metric)


def _pairs(
    model: Model, baseline: Baseline, outputs: tuple[str, ...], *, fast: bool = False
) -> Iterator[tuple[list[Array], list[Array]]]:
    runner, scales = Runner(model, fast=fast), of_model(model)
    for inputs, expected in load(baseline, model.signature):
        try:
            found = runner.run_for(outputs, stored(inputs, model.signature.inputs, scales))
        except Exception as error:
            raise _Fails(f"the result fails where the source runs: {first_line(error)}") from error
        yield expected, plain(outputs, found, expected, scales)
