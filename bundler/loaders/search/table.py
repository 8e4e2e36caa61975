"""What a search tried, for people: a row a trial, smallest first, with a bar for its bytes: a Pareto picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..regression import amount

if TYPE_CHECKING:
    from .hunt import Trial

_WIDTH = 24


def lines(trials: Sequence[Trial], accuracy: float) -> list[str]:
    """The smallest that keeps the accuracy is marked."""
    rows = sorted(trials, key=lambda trial: (trial.nbytes, trial.metric))
    most = max((trial.nbytes for trial in rows), default=1)
    best = next((trial for trial in rows if trial.metric >= accuracy), None)
    return [_row(trial, most, ">" if trial is best else " ", trial.metric >= accuracy) for trial in rows]


def _row(trial: Trial, most: int, mark: str, kept: bool) -> str:
    bar = "#" * max(1, round(trial.nbytes / most * _WIDTH))
    return f"{mark} {amount(trial.nbytes):>9} {bar:<{_WIDTH}} {trial.metric:8.4f} {'kept' if kept else 'too far off'}"
