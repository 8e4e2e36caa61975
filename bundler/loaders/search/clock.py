"""Latency, as stable as a machine that does other things allows.

The candidate and the source run in turns, so that both meet the same noise; what is kept is the median of their
ratios, times the least that the source's median has been. That least is what a quiet machine would have shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from ...graph.model import Model
from ..verify.feeds import Feeds
from ..verify.session import Runner

ROUNDS = 15
SECONDS = 4.0
"""No further round is begun after this, once there are LEAST of them."""
LEAST = 5


class Clock:
    """Compares candidates with `source` on one sample."""

    def __init__(self, source: Model, names: tuple[str, ...], inputs: Feeds) -> None:
        self._names, self._inputs = names, inputs
        self._source = Runner(source, fast=True)
        self._run(self._source)
        self._best = float("inf")

    def measure(self, model: Model) -> tuple[float, float]:
        """(milliseconds, spread): see `goal.Trial`."""
        runner = Runner(model, fast=True)
        self._run(runner)
        pairs = np.array(list(self._rounds(runner)))
        self._best = min(self._best, float(np.median(pairs[:, 0])))
        ratios = pairs[:, 1] / pairs[:, 0]
        low, ratio, high = np.percentile(ratios, [25, 50, 75])
        return float(f"{ratio * self._best * 1000:.4g}"), float(f"{(high - low) / 2 / ratio:.2g}")

    def _rounds(self, runner: Runner) -> Iterator[tuple[float, float]]:
        """(seconds of the source, seconds of the candidate)."""
        end = time.monotonic() + SECONDS
        for index in range(ROUNDS):
            if index >= LEAST and time.monotonic() > end:
                return
            first, second = (self._source, runner) if index % 2 else (runner, self._source)
            times = self._run(first), self._run(second)
            yield times if index % 2 else times[::-1]

    def _run(self, runner: Runner) -> float:
        started = time.perf_counter()
        runner.run_for(self._names, self._inputs)
        return time.perf_counter() - started
