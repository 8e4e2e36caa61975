"""How far a model's outputs are from the source's, as data, and the tolerance that they are judged by."""

from __future__ import annotations

from dataclasses import dataclass

NO_LIMIT = float("inf")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Worst case over all outputs and samples.

    `relative`: largest difference over the output's largest magnitude in the source (over 1 for a probability);
    for integer and boolean outputs the share of elements that differ. `absolute`: the largest difference itself.
    `broken`: one sentence when the outputs cannot be the same function (NaN, another shape), else "".
    """

    relative: float
    absolute: float
    cosine: float
    output: str
    """Name of the output with the largest relative error."""
    samples: int
    broken: str = ""
    faint: str = ""
    """Name of a probability that is all but zero on every sample, so that little was compared."""
    metric: float | None = None
    """What the entry's own golden metric gives; None: it has none."""
    metric_name: str = "cosine"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Beyond `relative` or `absolute`, or below `cosine`, a step has changed what the model does."""

    relative: float = NO_LIMIT
    cosine: float = -1.0
    absolute: float | None = None
    golden: float = float("-inf")
    """Least value of the golden metric that the entry asks for, whatever a loader allows."""

    def loosest(self, other: Tolerance) -> Tolerance:
        """Results are compared with the source: a step may be as far off as the steps before it were allowed to."""
        return Tolerance(max(self.relative, other.relative), min(self.cosine, other.cosine), self.absolute, self.golden)


def objection(found: Agreement, allowed: Tolerance) -> str:
    """Why `found` is not good enough, or ""."""
    if found.broken:
        return found.broken
    where = f'output "{found.output}"' if found.output else "the outputs"
    if found.metric is not None and found.metric < allowed.golden:
        return f"its {found.metric_name} is {found.metric:.4f} on the golden set ({allowed.golden:g} is the least)"
    if found.metric is None and found.cosine < allowed.golden:
        return f"{where} has a cosine of {found.cosine:.4f} with the source (golden: {allowed.golden:g})"
    if allowed.absolute is not None and found.absolute > allowed.absolute:
        return f"{where} differs from the source by {found.absolute:.2g} (max_error is {allowed.absolute:g})"
    if allowed.absolute is None and found.relative > allowed.relative:
        return f"{where} differs from the source by {found.relative:.2g} of its range ({allowed.relative:g} is allowed)"
    if allowed.absolute is None and found.cosine < allowed.cosine:
        return f"{where} has a cosine of {found.cosine:.3f} with the source ({allowed.cosine:g} is the least)"
    return ""
