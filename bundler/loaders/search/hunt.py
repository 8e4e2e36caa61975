"""The search: how much each weight minds each precision, then how far down the line of assignments the metric holds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ...graph.model import Model
from ..base import Context
from ..origin import FLOATS
from .hull import Option, assigned, moves
from .recipe import CHOICES, PROBE, SHARES, Recipe, size_as
from .trials import Trials

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
        """The smallest recipe found that keeps the accuracy, or None. Time only ends it."""
        line = moves(self._options())
        good, bad = 0, len(line) + 1
        while bad - good > 1 and not self._late():
            middle = (good + bad) // 2 if self.trials else len(line)
            trial = Trial(middle, *self._trials.accuracy(Recipe.of(assigned(line, middle))))
            self.trials.append(trial)
            good, bad = (middle, bad) if trial.metric >= self.accuracy else (good, middle)
        return Recipe.of(assigned(line, good)) if good else None

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
