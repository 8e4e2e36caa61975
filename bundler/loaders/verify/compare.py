"""Outputs of the source against outputs of a step's result, in numpy."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import printable
from .agreement import Agreement

Array = NDArray[Any]
TINY = 1e-6
"""Outputs whose magnitude stays below this are zero for all that anyone reads out of them."""
FAINT = 0.05
"""Probabilities that stay below this on both sides say "no" alike; their direction means nothing."""


def compare(
    names: Sequence[str],
    pairs: Iterable[tuple[Sequence[Array], Sequence[Array]]],
    probabilities: Container[str] = (),
) -> Agreement:
    """`pairs`: for each sample the outputs of the source and of the result, in the order of `names`.

    An output is judged over all samples together: a single logit has no direction, three of them have.
    """
    tallies = [_Tally(printable(name), name in probabilities) for name in names]
    samples = 0
    for source, result in pairs:
        for tally, expected, found in zip(tallies, source, result, strict=True):
            broken = _broken(tally.name, expected, found)
            if broken:
                return Agreement(np.inf, np.inf, -1.0, tally.name, samples, broken)
            tally.add(expected, found)
        samples += 1
    worst = max(tallies, key=lambda tally: tally.relative)
    largest = max(tally.difference for tally in tallies)
    faint = next((tally.name for tally in tallies if tally.faint), "")
    cosine = min(tally.cosine for tally in tallies)
    return Agreement(worst.relative, largest, cosine, worst.name, samples, faint=faint)


@dataclass
class _Tally:
    """Sums over the samples of one output; of finite numbers only."""

    name: str
    probability: bool = False
    difference: float = 0.0
    magnitude: float = 0.0
    magnitude_found: float = 0.0
    dot: float = 0.0
    squares: float = 0.0
    squares_found: float = 0.0
    differing: int = 0
    elements: int = 0

    def add(self, expected: Array, found: Array) -> None:
        if expected.dtype.kind not in "fc":
            self.differing += int(np.count_nonzero(expected != found))
            self.elements += expected.size
            return
        finite = np.isfinite(expected)
        wide = np.complex128 if expected.dtype.kind == "c" else np.float64
        a, b = expected[finite].astype(wide), found[finite].astype(wide)
        if a.size:
            self.difference = max(self.difference, float(np.abs(a - b).max()))
            self.magnitude = max(self.magnitude, float(np.abs(a).max()))
            self.magnitude_found = max(self.magnitude_found, float(np.abs(b).max()))
            self.dot += float(np.real(np.vdot(a, b)))
            self.squares += float(np.real(np.vdot(a, a)))
            self.squares_found += float(np.real(np.vdot(b, b)))

    @property
    def relative(self) -> float:
        if self.elements:
            return self.differing / self.elements
        return self.difference if self.probability else self.difference / max(self.magnitude, TINY)

    @property
    def faint(self) -> bool:
        """All but zero on these samples: they tell little about it."""
        return self.probability and max(self.magnitude, self.magnitude_found) < FAINT

    @property
    def cosine(self) -> float:
        if self.faint:
            return 1.0
        lengths = float(np.sqrt(self.squares) * np.sqrt(self.squares_found))
        if lengths > TINY * TINY:
            return min(1.0, self.dot / lengths)
        return 1.0 if max(self.magnitude, self.magnitude_found) <= TINY else 0.0  # all zero where there was something


def _broken(name: str, expected: Array, found: Array) -> str:
    if expected.dtype != found.dtype:
        return f'output "{name}" has become {found.dtype} ({expected.dtype} in the source)'
    if expected.shape != found.shape:
        return f'output "{name}" has the shape {list(found.shape)} ({list(expected.shape)} in the source)'
    if expected.dtype.kind not in "fc":
        return ""
    lost = np.isfinite(expected) & ~np.isfinite(found)
    if not lost.any():
        return ""
    what = "NaN" if np.isnan(found[lost]).any() else "infinite"
    return f'output "{name}" is {what} where the source has a number ({int(lost.sum())} of {lost.size} values)'
