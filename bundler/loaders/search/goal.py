"""What a search looks for, and which of two trials is nearer to it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate that was measured with the golden metric. `moves`: how far down the line of assignments; 0 is the
    chain by itself. `label`: the chain and what follows it, for people."""

    label: str
    moves: int
    nbytes: int
    metric: float
    ms: float | None = None
    """Median latency; None: not asked for."""
    spread: float = 0.0
    """Of the latency: half of what lies between its quartiles, over the median."""

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"steps": self.label, "moves": self.moves, "bytes": self.nbytes, "metric": self.metric}
        return found if self.ms is None else found | {"latencyMs": self.ms, "latencySpread": self.spread}


@dataclass(frozen=True, slots=True)
class Goal:
    """`accuracy`: at least; `size` (bytes) and `latency` (ms): at most. With one of the latter the most accurate within
    them is best, else the smallest."""

    accuracy: float = float("-inf")
    size: int | None = None
    latency: float | None = None

    def reached(self, trial: Trial) -> bool:
        return self.accurate(trial) and self.small(trial) and self.fast(trial)

    def accurate(self, trial: Trial) -> bool:
        return trial.metric >= self.accuracy

    def small(self, trial: Trial) -> bool:
        return self.size is None or trial.nbytes <= self.size

    def fast(self, trial: Trial) -> bool:
        return self.latency is None or (trial.ms is not None and trial.ms <= self.latency)

    def rank(self, trial: Trial) -> tuple[float, float]:
        """The least is best."""
        if self.size is None and self.latency is None:
            return trial.nbytes, -trial.metric
        return -trial.metric, trial.nbytes

    def doubtful(self, trial: Trial) -> bool:
        """Whether the machine's noise could have decided."""
        return self.latency is not None and trial.ms is not None and trial.ms * (1 + trial.spread) > self.latency

    def __str__(self) -> str:
        parts = [f"{self.accuracy:g}"] if self.accuracy > float("-inf") else []
        parts += [f"{self.size / 1e6:g} MB"] if self.size is not None else []
        parts += [f"{self.latency:g} ms"] if self.latency is not None else []
        return " and ".join(parts)


def pareto(trials: list[Trial]) -> set[int]:
    """Indices of those that none other beats: no smaller one is as accurate."""
    return {
        index
        for index, one in enumerate(trials)
        if not any(
            (other.nbytes, -other.metric) != (one.nbytes, -one.metric)
            and other.nbytes <= one.nbytes
            and other.metric >= one.metric
            for other in trials
        )
    }
