"""What the entry's own golden metric makes of a result: all outputs are kept on the disk until it is called."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...catalogue import problem
from ...errors import ConfigError, MbundleError
from ...graph.model import Signature
from .archive import Column, Writer
from .baseline import Baseline
from .compare import Array
from .feeds import first_line
from .metric import Metric
from .samples import left_of

Arrays = Mapping[str, Sequence[Array]]


class Measured:
    """Keeps the outputs of one result on the disk until the metric has seen all of them."""

    def __init__(self, metric: Metric, baseline: Baseline, signature: Signature) -> None:
        self._metric, self._baseline = metric, baseline
        self._names = left_of(baseline, signature)
        self._folder = tempfile.TemporaryDirectory(prefix="metric-")
        self._path = os.path.join(self._folder.name, "outputs.npz")
        self._writer = Writer(self._path)
        self._count = 0

    def __enter__(self) -> Measured:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.__exit__()
        self._folder.cleanup()

    def seen(self, pairs: Iterable[tuple[list[Array], list[Array]]]) -> Iterator[tuple[list[Array], list[Array]]]:
        """The same pairs of (expected, found); what was found is kept."""
        for expected, found in pairs:
            for index, array in enumerate(found):
                self._writer.put(f"{self._count}/{index}", array)
            self._count += 1
            yield expected, found

    def value(self) -> float:
        """Raises ConfigError (MB325) when the function fails or does not return a finite number."""
        self._writer.__exit__()
        with (
            np.load(self._path, allow_pickle=False) as found,
            np.load(self._baseline.path, allow_pickle=False) as expected,
        ):
            outputs = {
                name: Column(found, lambda n, i=i: f"{n}/{i}", self._count)  # type: ignore[misc]
                for i, name in enumerate(self._names)
            }
            return evaluate(self._metric, outputs, *recorded(self._baseline, expected, self._names))


def recorded(baseline: Baseline, archive: Any, names: Sequence[str]) -> tuple[Arrays, Arrays]:
    """(reference, feeds) of a baseline's open file."""

    def column(kind: str, index: int) -> Column:
        return Column(archive, lambda sample: f"{sample}/{kind}/{index}", baseline.samples)

    reference = {name: column("out", baseline.outputs.index(name)) for name in names}
    return reference, {name: column("in", index) for index, name in enumerate(baseline.inputs)}


_GIVEN = (
    "Mend the function. Each argument maps names to the arrays of all samples: go through them one by one, or, where "
    "their shapes are the same, use them as one array whose first dimension is the samples."
)


def evaluate(metric: Metric, outputs: Arrays, reference: Arrays, feeds: Arrays) -> float:
    """What the function gives. Raises ConfigError (MB325)."""
    try:
        with contextlib.chdir(os.path.dirname(metric.config_file)):
            value = float(metric.function()(outputs, reference, feeds))
    except MbundleError:
        raise
    except Exception as error:
        what = f"{metric.golden.metric} raised {type(error).__name__}: {first_line(error)}"
        raise ConfigError(problem("MB325", what, fix=_GIVEN, file=metric.config_file)) from error
    if not math.isfinite(value):
        raise ConfigError(problem("MB325", f"{metric.golden.metric} returned {value}", file=metric.config_file))
    return value
