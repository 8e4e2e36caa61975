"""From measured sensitivities to a line of assignments, each smaller and less exact than the one before. Pure.

Errors of different weights add up, near enough, as they are squares of independent noise. So the best assignments are
those that some exchange rate between bytes and error makes of each weight by itself: the steps down the lower convex
hull of each weight's choices, taken in order of what they save for their error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

KEEP = -1
"""The choice of staying as it is."""


@dataclass(frozen=True, slots=True)
class Option:
    """What one weight costs in one form: bytes of the model that it saves, and error that it brings."""

    choice: int
    saves: int
    error: float


@dataclass(frozen=True, slots=True)
class Move:
    weight: str
    choice: int
    rate: float
    """Error for a byte saved."""


def moves(options: Mapping[str, Sequence[Option]]) -> list[Move]:
    """All moves worth making, the cheapest first; those of one weight are in order, whatever the rates of others."""
    found = [move for weight, own in options.items() for move in _down(weight, own)]
    order = {weight: index for index, weight in enumerate(options)}
    return sorted(found, key=lambda move: (move.rate, order[move.weight]))


def assigned(made: Sequence[Move]) -> dict[str, int]:
    """Weight -> choice after these moves; weights that stay are not in it."""
    return {move.weight: move.choice for move in made}


def _down(weight: str, options: Sequence[Option]) -> Iterator[Move]:
    """Along the lower convex hull of (bytes saved, error), from the weight as it is to its smallest form."""
    here = Option(KEEP, 0, 0.0)
    while True:
        ahead = [option for option in options if option.saves > here.saves]
        if not ahead:
            return
        best = min(ahead, key=lambda option: (_rate(here, option), -option.saves))
        yield Move(weight, best.choice, _rate(here, best))
        here = best


def _rate(here: Option, there: Option) -> float:
    return max(there.error - here.error, 0.0) / (there.saves - here.saves)
