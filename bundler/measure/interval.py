"""From repeated measurements to an interval that the true value lies in; pure, and the same for every figure.

The value is the median. Its interval comes from order statistics, which need no assumption about how measurements are
distributed: of n visits the k-th smallest and k-th largest, with the largest k that still covers the median in 93
of 100 cases (so the smallest and largest of 5). A margin for each figure (`metrics.py`) widens it by what
differs between two benchmarks and not between two visits of one: which core, how warm, what else runs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.93


@dataclass(frozen=True, slots=True)
class Interval:
    """`low` <= `value` <= `high`, in the unit of the figure. `count`: measurements behind it."""

    value: float
    low: float
    high: float
    count: int = 1

    @classmethod
    def exact(cls, value: float) -> Interval:
        return cls(value, value, value)

    def widened(self, margin: float) -> Interval:
        """`margin`: a share of each end; nothing that is measured here is below 0."""
        return Interval(self.value, self.low * max(0.0, 1 - margin), self.high * (1 + margin), self.count)

    @property
    def spread(self) -> float:
        """Half of the interval, as a share of the value."""
        return (self.high - self.low) / (2 * self.value) if self.value else 0.0

    def joined(self, known: Interval) -> Interval:
        """What is known after one more benchmark of the same thing: the new value, and an interval that holds both."""
        low, high = min(self.low, known.low, self.value), max(self.high, known.high, self.value)
        return Interval(self.value, low, high, self.count + known.count)


def interval(samples: Sequence[float]) -> Interval:
    """The median of `samples` (at least one) and its interval, without a margin."""
    ordered = sorted(samples)
    k = rank(len(ordered))
    return Interval(statistics.median(ordered), ordered[k], ordered[-1 - k], len(ordered))


def rank(count: int) -> int:
    """How many of `count` ordered measurements may be left out on each side."""
    left = 0
    while left + 1 <= (count - 1) // 2 and _coverage(count, left + 1) >= CONFIDENCE:
        left += 1
    return left


def _coverage(count: int, left: int) -> float:
    """How often the median lies between the measurements that remain when `left` are left out on each side."""
    outside = sum(math.comb(count, i) for i in range(left + 1))
    return 1.0 - 2.0 * outside / float(2**count)


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest measurement that at least `share` of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
