"""The search: how much each weight minds each precision, then how far down the line of assignments the metric holds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ...graph.model import Model
from ..base import Context
from ..origin import FLOATS
from .hull import Move, Option, assigned, moves
from .recipe import CHOICES, PROBE, SHARES, Recipe, size_as
from .trials import Trials

ROUNDS = 3
"""A move that goes too far (a table of half the model's bytes) is left out, and the search goes on behind it."""
LEAST = 16 << 10
"""Bytes of a weight below which its precision is not worth a trial."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One assignment that was measured with the golden metric."""

    moves: int
    nbytes: int
    metric: float

    def as_json(self) -> dict[str, Any]:
        return {"moves": self.moves, "bytes": self.nbytes, "metric": self.metric}


class Hunt:
    """`trials`: what was measured, in order. `cut`: the time was up before the end."""

    def __init__(self, model: Model, context: Context, accuracy: float, seconds: float) -> None:
        assert context.samples is not None
        self._model, self._context, self.accuracy = model, context, accuracy
        self._end = time.monotonic() + seconds
        self._trials = Trials(model, context, context.samples)
        self.trials: list[Trial] = []
        self.cut = False

    def run(self) -> Recipe | None:
        """The smallest recipe found that keeps the accuracy, or None. Time only ends the search."""
        line = moves(self._options())
        taken: list[Move] = []
        for _ in range(ROUNDS):
            count = self._furthest(taken, line)
            taken += line[:count]
            if self._late() or count == len(line):
                break
            blocked = line[count].weight
            line = [move for move in line[count + 1 :] if move.weight != blocked]
        return Recipe.of(assigned(taken)) if taken else None

    def _furthest(self, taken: list[Move], line: list[Move]) -> int:
        """How many moves of `line`, on top of those taken, keep the accuracy: all, or by bisection."""
        good, bad, middle = 0, len(line) + 1, len(line)
        while bad - good > 1 and not self._late():
            recipe = Recipe.of(assigned([*taken, *line[:middle]]))
            trial = Trial(len(taken) + middle, *self._trials.accuracy(recipe))
            self.trials.append(trial)
            good, bad = (middle, bad) if trial.metric >= self.accuracy else (good, middle)
            middle = (good + bad) // 2
        return good

    def _options(self) -> dict[str, list[Option]]:
        """What each weight can become; a weight that the time did not suffice for stays as it is."""
        weights = [w for w in self._model.weights if w.dtype in FLOATS and w.region.length >= LEAST]
        found = {}
        for weight in sorted(weights, key=lambda weight: -weight.region.length):
            if self._late():
                break
            nbytes, error = self._trials.error(Recipe.of({weight.name: PROBE}))
            if nbytes < self._model.nbytes:
                found[weight.name] = [
                    Option(index, weight.region.length - size_as(weight, choice), error * share)
                    for index, (choice, share) in enumerate(zip(CHOICES, SHARES, strict=True))
                ]
        return found

    def _late(self) -> bool:
        self.cut = self.cut or time.monotonic() > self._end
        return self.cut
