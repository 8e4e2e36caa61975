"""The source's outputs on the samples of an entry, which every step of it is compared with."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from dataclasses import replace

from .. import process
from ..config.schema import EntrySpec
from ..errors import MbundleError, StepError
from ..graph.model import Model
from ..process import Limits
from .declared import loader_of
from .verify.baseline import Baseline
from .verify.metric import own_metric
from .workshop import Workshop

BASELINE_SECONDS = 120.0
"""For finding inputs and running the source on them; a big model gets more."""


class Reference:
    """The source's outputs for one entry, computed in a child when the first step must be verified. Thread-safe."""

    def __init__(self, entry: EntrySpec, source: Model, workshop: Workshop) -> None:
        self._entry, self._source, self._workshop = entry, source, workshop
        self._lock = threading.Lock()
        self._baseline: Baseline | None = None
        self._calibration: Baseline | None = None
        self._thread: threading.Thread | None = None

    def prepare(self) -> None:
        """Begins with the baseline while the first step runs: on two cores it then costs no time of its own."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._ahead, name=f"baseline {self._entry.name}", daemon=True)
            self._thread.start()

    def settle(self, end_children: Callable[[], None]) -> None:
        """Until nothing that `prepare` began runs any more: it must not work in a folder that is being removed."""
        while self._thread is not None and self._thread.is_alive():
            end_children()  # again, for it may have been about to begin one
            self._thread.join(0.05)

    def _ahead(self) -> None:
        with contextlib.suppress(MbundleError, OSError):  # who needs the baseline tries again, and tells
            self.baseline()

    def baseline(self) -> Baseline:
        with self._lock:
            if self._baseline is None:
                golden = self._entry.golden
                self._baseline = self._recorded(golden.path if golden else "")
            return self._baseline

    def calibration(self) -> Baseline | None:
        """None: the entry has no inputs for that alone."""
        golden = self._entry.golden
        if golden is None or not golden.calibration:
            return None
        with self._lock:
            if self._calibration is None:
                self._calibration = self._recorded(golden.calibration)
            return self._calibration

    def _searched(self) -> bool:
        """Whether a step is made from the samples, and not only judged by them: then all of them count."""
        steps = (spec for variant in self._entry.variants for spec in variant.steps)
        return any(getattr(loader_of(spec), "wants_samples", False) for spec in steps)

    def _recorded(self, golden: str) -> Baseline:
        """A source that cannot be run in time or memory on made-up inputs is not compared; that is told."""
        folder = process.scratch_folder("baseline-", self._workshop.scratch)
        limits = replace(
            Limits.for_model(self._source.nbytes), wall=BASELINE_SECONDS + self._source.nbytes / (50 << 20)
        )
        args = (
            self._source,
            os.path.join(folder, "baseline.npz"),
            golden,
            own_metric(self._entry, self._workshop.config_file, self._workshop.mode) is not None or self._searched(),
        )
        try:
            baseline: Baseline = process.run(
                "bundler.loaders.verify.samples:record",
                *args,
                limits=limits,
                label=f"running {self._entry.name}",
                tmp=folder,
            )
        except StepError as error:
            return Baseline("", note=error.problems[0].what)
        return baseline
