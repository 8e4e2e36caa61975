"""The search: which chain, how much each weight minds each precision, how far down the line of assignments to go."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, replace

from ...graph.model import Model, Weight
from ..base import Context, silent
from ..origin import FLOATS
from ..prune import quantized
from ..verify.samples import load
from .chains import AFTER, BEFORE, FAST, Made, label, made, pruned
from .clock import Clock
from .goal import Goal, Trial
from .hull import Move, Option, assigned, moves
from .recipe import CALIBRATED, PLAIN, Recipe, size_as
from .trials import Trials

ROUNDS = 3
"""A move that goes too far (a table of half the model's bytes) is left out, and the search goes on behind it."""
WORTH = 0.9
"""Of the bytes that are left by what comes behind the precisions: halves are slow where a CPU computes them."""
ROWS = 256
"""Of inputs, below which nothing is pruned: 24 were learnt by heart, and 80 % of a net was taken for superfluous."""
FREE = 0.1
"""Of what the accuracy may lose, for pruning."""
TIME = 0.15
"""Of the time that is left, for the search of how much can be pruned."""
LEAST = 16 << 10
"""Bytes of a weight below which its precision is not worth a trial."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a trial measured: `recipe` on top of `start`. Its model is made again when it is wanted."""

    trial: Trial
    start: Made
    recipe: Recipe
    after: tuple[object, ...] = ()

    def whole(self) -> Recipe:
        return Recipe((*self.start.steps, *self.recipe.steps, *self.after))


class Hunt:
    """`trials`: what was measured, in order. `cut`: the time was up before the end."""

    def __init__(self, model: Model, context: Context, goal: Goal, seconds: float) -> None:
        assert context.samples is not None
        self._source, self._context, self.goal = model, context, goal
        self._end = time.monotonic() + seconds
        self._samples = context.samples
        self._choices = CALIBRATED if self._samples.given else PLAIN
        self._of_source: Trials | None = None
        self._watch: Clock | None = None
        self._found: list[Found] = []
        self.cut = False

    @property
    def trials(self) -> list[Trial]:
        return [found.trial for found in self._found]

    def run(self) -> Found | None:
        """The best that was found within the goal, or None. Time only ends the search."""
        starts = self._starts()
        if self.goal.latency is not None:
            self._fast(starts)
        base = self._pruned(self._base(starts))
        if not self._late():
            self._weights(base)
        self._endings(base)
        reached = [found for found in self._found if self.goal.reached(found.trial) and found.whole().steps]
        return min(reached, key=lambda found: self.goal.rank(found.trial), default=None)

    def model_of(self, found: Found) -> Model:
        """The model of a trial, in the step's own folder."""
        quiet = replace(self._context, log=silent)
        return Recipe(found.after).apply(found.recipe.apply(found.start.model, quiet), quiet)

    def _starts(self) -> list[Made]:
        """The model as it comes, and what each chain makes of it."""
        here = Made((), self._source)
        chains = [made(chain, here, self._context) for chain in BEFORE if not self._late()]
        starts = [here]
        for start in chains:
            if start is not None and all(start.model != other.model for other in starts):
                starts.append(start)
        for start in starts:
            self._note(start, start.model)
        return starts

    def _base(self, starts: list[Made]) -> Made:
        """Where the precision search begins: the fastest or smallest chain that is as good as it has to be."""
        trials = {found.start.steps: found.trial for found in self._found if not found.recipe.steps and not found.after}
        good = [start for start in starts if self.goal.accurate(trials[start.steps])] or starts[:1]
        if self.goal.latency is not None:
            return min(good, key=lambda start: trials[start.steps].ms or 0.0)
        return min(good, key=lambda start: (start.model.nbytes, len(start.steps)))

    def _pruned(self, base: Made) -> Made:
        """`base` without what can all but go: precision has better uses for the rest of what may be lost."""
        whole = next(found.trial.metric for found in self._found if found.start is base)
        floor = max(self.goal.accuracy, whole - abs(whole) / 10)
        left = (self._end - time.monotonic()) / 60
        if self._late() or quantized(base.model):
            return base
        if self._rows() < ROWS:
            self._context.log(f"nothing was pruned: that is learnt from {ROWS} rows of inputs at least")
            return base
        found = pruned(base, self._context, whole - FREE * (whole - floor), round(TIME * left, 2))
        if found is None:
            self._context.log("nothing was pruned: what can go matters more than what precision takes")
            return base
        return found if self.goal.accurate(self._note(found, found.model)) else base

    def _rows(self) -> int:
        """Of the inputs that pruning learns from: of few of them it would learn what they have by chance."""
        inputs = self._context.calibration or self._samples
        firsts = (next(iter(feeds.values())) for feeds, _ in load(inputs, self._source.signature) if feeds)
        return sum(len(first) if first.ndim else 1 for first in firsts)

    def _fast(self, starts: list[Made]) -> None:
        for start in starts:
            for chain in FAST:
                if not self._late():
                    result = made(chain, start, self._context)
                    if result is not None:
                        self._note(start, result.model, Recipe(result.steps[len(start.steps) :]))

    def _endings(self, base: Made) -> None:
        """Behind the chain, and behind the best that has become of it."""
        reached = [found for found in self._found if found.recipe.steps and self.goal.accurate(found.trial)]
        best = min(reached, key=lambda found: self.goal.rank(found.trial), default=None)
        for found in [Found(Trial("", 0, 0, 0.0), base, Recipe()), *([best] if best else [])]:
            for chain in AFTER:
                if self._late():
                    return
                start = Made((), found.recipe.apply(found.start.model, self._context)) if found.recipe.steps else base
                result = made(chain, start, self._context)
                if result is not None and result.model.nbytes <= WORTH * start.model.nbytes:
                    self._note(found.start, result.model, found.recipe, chain)

    def _weights(self, base: Made) -> None:
        """The line of assignments: by the accuracy, or by the size."""
        trials = Trials(base.model, self._context, self._samples)
        line = moves(self._options(base.model, trials))
        if not line:
            return
        if self.goal.size is not None:
            self._nearest(base, line)
            return
        taken: list[Move] = []
        for _ in range(ROUNDS):
            count = self._furthest(base, taken, line)
            taken += line[:count]
            if self._late() or count == len(line):
                return
            blocked = line[count].weight
            line = [move for move in line[count + 1 :] if move.weight != blocked]

    def _furthest(self, base: Made, taken: list[Move], line: list[Move]) -> int:
        """How many moves of `line`, on top of those taken, keep the accuracy: all, or by bisection."""
        good, bad, middle = 0, len(line) + 1, len(line)
        while bad - good > 1 and not self._late():
            trial = self._assigned(base, [*taken, *line[:middle]])
            good, bad = (middle, bad) if self.goal.accurate(trial) else (good, middle)
            middle = (good + bad) // 2
        return good

    def _nearest(self, base: Made, line: list[Move]) -> None:
        """The fewest moves after which it is small enough, by bisection."""
        big, small, middle = 0, len(line) + 1, len(line)
        while small - big > 1 and not self._late():
            trial = self._assigned(base, line[:middle])
            big, small = (big, middle) if self.goal.small(trial) else (middle, small)
            middle = (big + small) // 2

    def _assigned(self, base: Made, taken: list[Move]) -> Trial:
        recipe = Recipe.of(assigned(taken), self._choices)
        scratch = tempfile.mkdtemp(prefix="trial-", dir=self._context.scratch)
        try:
            model = recipe.apply(base.model, replace(self._context, scratch=scratch, log=lambda line: None))
            return self._note(base, model, recipe, moved=len(taken))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _note(
        self, start: Made, model: Model, recipe: Recipe | None = None, after: tuple[object, ...] = (), moved: int = 0
    ) -> Trial:
        """Measures, and keeps what was measured."""
        recipe = recipe or Recipe()
        if self._of_source is None:
            self._of_source = Trials(self._source, self._context, self._samples)
        metric = self._of_source.accuracy(model)
        ms, spread = self._clock().measure(model) if self.goal.latency and metric > float("-inf") else (None, 0.0)
        name = label((*start.steps, *recipe.steps, *after))
        found = Found(Trial(name, moved, model.nbytes, metric, ms, spread), start, recipe, after)
        self._found.append(found)
        return found.trial

    def _clock(self) -> Clock:
        if self._watch is None:
            assert self._of_source is not None
            self._watch = self._of_source.clock(self._source)
        return self._watch

    def _options(self, model: Model, trials: Trials) -> dict[str, list[Option]]:
        """What each weight can become; a weight that the time did not suffice for stays as it is."""
        weights = [w for w in model.weights if w.dtype in FLOATS and w.region.length >= LEAST]
        found = {}
        for weight in sorted(weights, key=lambda weight: -weight.region.length):
            if self._late():
                break
            probed = {index: self._probed(weight, index, model, trials) for index in self._probes()}
            if any(saves > 0 for saves, _ in probed.values()):
                found[weight.name] = [self._option(index, weight, probed) for index in range(len(self._choices))]
        return found

    def _probes(self) -> list[int]:
        return sorted({choice.like for choice in self._choices})

    def _probed(self, weight: Weight, index: int, model: Model, trials: Trials) -> tuple[int, float]:
        """(bytes saved, error) when this weight alone has that form."""
        nbytes, error = trials.error(Recipe.of({weight.name: index}, self._choices))
        return model.nbytes - nbytes, error

    def _option(self, index: int, weight: Weight, probed: dict[int, tuple[int, float]]) -> Option:
        choice = self._choices[index]
        saves, error = probed[choice.like]
        if index != choice.like:
            saves = weight.region.length - size_as(weight, choice.step)
        return Option(index, saves, error * choice.share)

    def _late(self) -> bool:
        self.cut = self.cut or time.monotonic() > self._end
        return self.cut
