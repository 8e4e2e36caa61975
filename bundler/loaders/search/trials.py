"""Runs candidates on the golden samples: the metric on all of them, or the error on a few."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from ...errors import MbundleError
from ...graph.model import Model
from ..base import Context
from ..verify.agreement import Agreement
from ..verify.baseline import Baseline
from ..verify.compare import Array, compare
from ..verify.measured import Measured
from ..verify.metric import Metric
from ..verify.samples import left_of, load
from ..verify.session import Runner
from .clock import Clock

FEW = 2
"""Samples for a sensitivity, spread over all."""


class Recipe(Protocol):
    """How a candidate is made of the model."""

    def apply(self, model: Model, context: Context, /) -> Model: ...


class Trials:
    """Candidates made of one model. Each lives on the disk only while it runs. `cosine`: the least that an output may
    have with the source's, whatever the metric."""

    def __init__(self, model: Model, context: Context, samples: Baseline, cosine: float = -1.0) -> None:
        self._model, self._context, self._samples, self._cosine = model, context, samples, cosine
        self._names = left_of(samples, model.signature)
        every = max(samples.samples // FEW, 1)
        self._few = [one for index, one in enumerate(load(samples, model.signature)) if index % every == every // 2]

    def error(self, recipe: Recipe) -> tuple[int, float]:
        """(bytes, squared error relative to the outputs) on a few samples; of the output that fares worst."""
        with self._made(recipe) as candidate:
            runner = Runner(candidate.model)
            off, whole = np.zeros(len(self._names)), np.full(len(self._names), 1e-30)
            for inputs, expected in self._few:
                for index, (a, b) in enumerate(zip(expected, runner.run_for(self._names, inputs), strict=True)):
                    off[index] += _squares(a.astype(np.float64) - b)
                    whole[index] += _squares(a.astype(np.float64))
            return candidate.model.nbytes, float(np.nan_to_num((off / whole).max(), nan=np.inf))

    def of_recipe(self, recipe: Recipe) -> tuple[int, float]:
        """(bytes, golden metric) on all samples. A result that is broken or too far off has -inf."""
        with self._made(recipe) as candidate:
            return candidate.model.nbytes, self.accuracy(candidate.model)

    def accuracy(self, model: Model) -> float:
        """The golden metric on all samples; -inf for a model that is broken, too far off or does not run."""
        try:
            pairs = self._pairs(Runner(model, fast=True))
            return self._measured(pairs, self._context.metric)
        except MbundleError:
            raise
        except Exception:  # onnxruntime's own: what cannot be run is no candidate
            return float("-inf")

    def _measured(self, pairs: Iterator[tuple[list[Array], list[Array]]], metric: Metric | None) -> float:
        if metric is None:
            found = compare(self._names, pairs, self._samples.probabilities)
            return found.cosine if self._sound(found) else float("-inf")
        with Measured(metric, self._samples, self._model.signature) as measured:
            found = compare(self._names, measured.seen(pairs), self._samples.probabilities)
            return measured.value() if self._sound(found) else float("-inf")

    def _sound(self, found: Agreement) -> bool:
        return not found.broken and found.cosine >= self._cosine

    def clock(self, source: Model) -> Clock:
        """For the latency, on one of the few samples."""
        return Clock(source, self._names, self._few[0][0])

    def _pairs(self, runner: Runner) -> Iterator[tuple[list[Array], list[Array]]]:
        for inputs, expected in load(self._samples, self._model.signature):
            yield expected, runner.run_for(self._names, inputs)

    def _made(self, recipe: Recipe) -> _Candidate:
        return _Candidate(recipe, self._model, self._context)


class _Candidate:
    def __init__(self, recipe: Recipe, model: Model, context: Context) -> None:
        self._scratch = tempfile.mkdtemp(prefix="trial-", dir=context.scratch)
        self.model = recipe.apply(model, replace(context, scratch=self._scratch, log=lambda line: None))

    def __enter__(self) -> _Candidate:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)


def _squares(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.vdot(finite, finite).real)
