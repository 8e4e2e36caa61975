"""What one step did, for the build's table, stats.json and the cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..graph.model import Model
from .verify.agreement import Agreement

Status = Literal["ok", "unchanged", "rolled back", "skipped", "cached"]


@dataclass(frozen=True, slots=True)
class StepRecord:
    """`cached`: the result came from the cache; then the status is "cached" where it was "ok"."""

    step: str
    bytes_before: int
    bytes_after: int
    nodes_before: int
    nodes_after: int
    seconds: float
    status: Status
    note: str = ""
    """One line, or ""."""
    max_error: float | None = None
    """Relative to the output's largest magnitude; None: not compared."""
    cosine: float | None = None
    metric: float | None = None
    """What the entry's own golden metric gives; None: it has none, or the result was not compared."""
    details: dict[str, Any] = field(default_factory=dict)
    """What a loader wants in stats.json beside this. JSON values."""
    cached: bool = False
    ops: dict[str, int] = field(default_factory=dict)
    """Of the result: counts of node types."""
    dtypes: dict[str, int] = field(default_factory=dict)
    """Of the result: counts of nodes by the dtype that they compute in, as `graph.computing` tells it."""
    weights: dict[str, int] = field(default_factory=dict)
    """Of the result: bytes of weights by dtype."""

    def from_cache(self) -> StepRecord:
        return replace(self, cached=True, status="cached" if self.status == "ok" else self.status)

    def of_result(self, model: Model) -> StepRecord:
        """With what `model` is made of."""
        return replace(self, ops=dict(model.ops), dtypes=dict(model.dtypes), weights=weight_bytes(model))

    def with_agreement(self, agreement: Agreement | None) -> StepRecord:
        if agreement is None or agreement.broken:
            return self
        metric = None if agreement.metric is None else _figures(agreement.metric)
        return replace(self, max_error=_figures(agreement.relative), cosine=_figures(agreement.cosine), metric=metric)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StepRecord:
        """TypeError when it is no record."""
        return cls(**value)


def weight_bytes(model: Model) -> dict[str, int]:
    """dtype -> bytes of weights, the heaviest first."""
    found: Counter[str] = Counter()
    for weight in model.weights:
        found[weight.dtype] += weight.region.length
    return dict(found.most_common())


def _figures(value: float) -> float | None:
    """Three significant figures: more would be noise of the machine. JSON has no infinity."""
    return float(f"{value:.3g}") if abs(value) != float("inf") else None
