"""Outputs of the source against outputs of a step's result, in numpy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import printable
from .agreement import Agreement

Array = NDArray[Any]
TINY = 1e-6
"""Outputs whose magnitude stays below this are zero for all that anyone reads out of them."""


def compare(names: Sequence[str], pairs: Iterable[tuple[Sequence[Array], Sequence[Array]]]) -> Agreement:
    """`pairs`: for each sample the outputs of the source and of the result, in the order of `names`."""
    worst = Agreement(0.0, 0.0, 1.0, "", 0)
    for source, result in pairs:
        for name, expected, found in zip(names, source, result, strict=True):
            worst = _worse(worst, _one(printable(name), expected, found))
            if worst.broken:
                return worst
        worst = Agreement(worst.relative, worst.absolute, worst.cosine, worst.output, worst.samples + 1)
    return worst


def _worse(a: Agreement, b: Agreement) -> Agreement:
    output = b.output if b.relative > a.relative or not a.output else a.output
    values = max(a.relative, b.relative), max(a.absolute, b.absolute), min(a.cosine, b.cosine)
    return Agreement(*values, output, a.samples, b.broken)


def _one(name: str, expected: Array, found: Array) -> Agreement:
    broken = _broken(name, expected, found)
    if broken:
        return Agreement(np.inf, np.inf, -1.0, name, 0, broken)
    if expected.dtype.kind not in "fc":
        return _discrete(name, expected, found)
    return _continuous(name, expected, found)


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


def _discrete(name: str, expected: Array, found: Array) -> Agreement:
    share = float(np.mean(expected != found)) if expected.size else 0.0
    return Agreement(share, 0.0, 1.0, name, 0)


def _continuous(name: str, expected: Array, found: Array) -> Agreement:
    finite = np.isfinite(expected)
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    a, b = expected[finite].astype(wide), found[finite].astype(wide)
    if not a.size:
        return Agreement(0.0, 0.0, 1.0, name, 0)
    absolute = float(np.abs(a - b).max())
    return Agreement(absolute / max(float(np.abs(a).max()), TINY), absolute, _cosine(a, b), name, 0)


def _cosine(a: Array, b: Array) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if lengths < TINY * TINY:
        return 1.0
    return float(np.real(np.vdot(a, b))) / lengths
