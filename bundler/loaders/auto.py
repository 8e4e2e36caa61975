"""auto: searches chains of loaders and the precision of each weight for the model that fits a stated goal best.

The result is what the steps of its recipe give, one after the other; `mbundle build --write` puts them into the config
in place of `auto(...)`, so that later builds need no search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from ..config.options import Range, Unit
from ..graph.model import Model
from .base import Context, Skip
from .quantize_weights import JUDGED

if TYPE_CHECKING:
    from .search.goal import Goal, Trial
    from .search.hunt import Hunt


@dataclass(frozen=True, slots=True)
class Auto:
    """Like an image optimiser that tries qualities until a person would see the difference."""

    name: ClassVar[str] = "auto"
    version: ClassVar[str] = "3"
    tools: ClassVar[tuple[str, ...]] = ("numpy", "onnx", "onnxruntime", "onnxsim")
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = -1.0
    warn_cosine: ClassVar[float] = -1.0
    wants_samples: ClassVar[bool] = True
    finds_recipe: ClassVar[bool] = True

    accuracy: float | None = None
    """Least value of the entry's golden metric, or of the cosine with the source's outputs where it has none. 0.95
    where neither size nor latency is given."""
    size: Annotated[str | int | None, Unit("size")] = None
    """At most so many bytes of graph and weights, before compression: "5 MB". The most accurate within it is taken."""
    latency: Annotated[str | float | None, Unit("time")] = None
    """At most so long a run, in native onnxruntime on the machine that builds: "20 ms"."""
    minutes: Annotated[float, Range(0, 1440)] = 10.0
    """No further trial is begun after this; a search that was cut says so, and may end elsewhere on another machine."""

    @property
    def seconds(self) -> float:
        """The search's own; the trial that it ends in, and what it found, come on top."""
        return self.minutes * 60

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        """Raises Skip when there is nothing to compare on, or nothing fits the goal."""
        from .search.hunt import Hunt
        from .search.table import lines

        if context.samples is None or context.samples.note:
            raise Skip(f"it cannot be measured: {context.samples.note if context.samples else 'no samples'}")
        hunt = Hunt(model, context, self._goal(context.at_least), self.minutes * 60)
        found = hunt.run()
        best = found.trial if found else None
        context.detail("tried", [trial.as_json() for trial in hunt.trials])
        context.detail("table", lines(hunt.trials, hunt.goal, best))
        if hunt.cut:
            context.log(f"the search was cut after {self.minutes:g} minutes")
        if found is None or best is None:
            raise Skip(_nothing(hunt))
        if hunt.goal.latency is not None and best.ms is not None:
            context.log(_timed(best, hunt.goal))
        if context.calibration is None and any(getattr(step, "calibrate", False) for step in found.whole().steps):
            context.log(JUDGED)
        context.detail("recipe", found.whole().as_json())
        return hunt.model_of(found)

    def _goal(self, at_least: float) -> Goal:
        """A config has checked `size` and `latency`: they are numbers here."""
        from .search.goal import Goal

        size = int(self.size) if self.size is not None else None
        latency = float(self.latency) if self.latency is not None else None
        floor = self.accuracy if self.accuracy is not None else 0.95 if size is latency is None else float("-inf")
        return Goal(max(floor, at_least), size, latency)


def _nothing(hunt: Hunt) -> str:
    """Why there is no result, with what came nearest."""
    goal = hunt.goal
    if goal.size is None and goal.latency is None:
        return f"nothing smaller keeps {goal}"
    what = f"nothing keeps to {goal}"
    if goal.latency is not None:
        fastest = min((trial for trial in hunt.trials if trial.ms), key=lambda trial: trial.ms or 0.0, default=None)
        return f"{what}: the fastest takes {fastest.ms:g} ms ±{fastest.spread:.0%}" if fastest else what
    return f"{what}: the smallest has {min(trial.nbytes for trial in hunt.trials) / 1e6:.3g} MB"


def _timed(best: Trial, goal: Goal) -> str:
    """Latency is of this machine, and noisy: both are said."""
    line = f"{best.ms:g} ms ±{best.spread:.0%} in native onnxruntime on this machine"
    doubt = f", so near to {goal.latency:g} ms that another run may decide otherwise" if goal.doubtful(best) else ""
    return line + doubt
