"""From figures and limits to verdicts; pure.

A limit is over only where the whole interval of the figure is: what noise may explain fails nobody's build.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .interval import Interval

State = Literal["ok", "close", "warning", "over", "unknown"]
"""close: the limit lies within the noise. warning: over, but the budget says that this only warns. unknown: there is no
figure; a limit that nobody can judge is not kept, so it fails like `over`."""

FAILS: frozenset[State] = frozenset({"over", "unknown"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """`name`: of the limit in `Budget`. `value` and `limit` in the unit; `base`: what the baseline has."""

    entry: str
    variant: str
    name: str
    unit: Literal["bytes", "ms", "score", "percent"]
    limit: float
    value: Interval | None
    state: State
    base: float | None = None
    note: str = ""
    metric: str = ""
    """Which one, of an accuracy that is not the golden set's first."""


def judge(limit: float, value: Interval | None, *, at_least: bool = False, warns: bool = False) -> State:
    """How `value` stands to `limit`, which it should not exceed, or, with `at_least`, not stay below."""
    if value is None:
        return "warning" if warns else "unknown"
    beyond = value.high < limit if at_least else value.low > limit
    within = value.low >= limit if at_least else value.high <= limit
    if beyond:
        return "warning" if warns else "over"
    return "ok" if within else "close"


def growth(value: float, base: float) -> float:
    """0.02 where `value` is 2 % over `base`; from nothing to something is without bound."""
    return (value - base) / base if base else (0.0 if value == 0 else float("inf"))
