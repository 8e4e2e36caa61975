"""The child's function after a step: does the result load, and does it agree with the source?"""

from __future__ import annotations

from collections.abc import Iterator

from ...graph.gates import check
from ...graph.model import Model
from .agreement import Agreement
from .baseline import Baseline
from .compare import Array, compare
from .samples import first_line, left_of, load
from .session import Runner


class _Fails(Exception):
    pass


def examine(model: Model, baseline: Baseline, external_ops: tuple[str, ...] = ()) -> Agreement | None:
    """None: it loads, and there is nothing to compare with. Raises what the gates raise when it does not load."""
    check(model, external_ops)
    outputs = left_of(baseline, model.signature)
    if not outputs:
        return None
    try:
        return compare(outputs, _pairs(model, baseline, outputs), baseline.probabilities)
    except _Fails as failure:
        return Agreement(float("inf"), float("inf"), -1.0, "", 0, str(failure))


def _pairs(model: Model, baseline: Baseline, outputs: tuple[str, ...]) -> Iterator[tuple[list[Array], list[Array]]]:
    runner = Runner(model)
    for inputs, expected in load(baseline, model.signature):
        try:
            found = runner.run_for(outputs, inputs)
        except Exception as error:
            raise _Fails(f"the result fails where the source runs: {first_line(error)}") from error
        yield expected, found
