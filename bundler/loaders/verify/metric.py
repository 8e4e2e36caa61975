"""The handle on an entry's golden metric: a named one, or a function that a child finds by evaluating the config."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from ...config.schema import EntrySpec, GoldenSpec


@dataclass(frozen=True, slots=True)
class Metric:
    """How a child finds the function."""

    golden: GoldenSpec
    config_file: str
    mode: Literal["development", "production"]

    def function(self) -> Any:
        """`f(outputs, reference, feeds) -> float`. Raises ConfigError when the config no longer has it."""
        if not self.golden.where:
            from .metrics import NAMED

            return NAMED[self.golden.metric]
        from ...config.evaluate import evaluate_function
        from ...config.steps import takes

        found = evaluate_function(self.config_file, self.golden.where, self.mode)
        if takes(found, 3):
            return found
        return lambda outputs, reference, feeds: found(outputs, reference)


def all_metrics(golden: GoldenSpec, config_file: str, mode: Literal["development", "production"]) -> tuple[Metric, ...]:
    """Each of the golden set's metrics but the cosine."""
    each = [replace(golden, metric=one.metric, where=one.where, digest=one.digest) for one in golden.metrics]
    return tuple(Metric(one, config_file, mode) for one in each if one.metric != "cosine")


def own_metric(entry: EntrySpec, config_file: str, mode: Literal["development", "production"]) -> Metric | None:
    """None: the cosine, which is measured anyway, is all that it asks for, or there are no golden inputs yet."""
    golden = entry.golden
    wanted = golden is not None and golden.path and golden.metric != "cosine"
    return Metric(golden, config_file, mode) if golden is not None and wanted else None
