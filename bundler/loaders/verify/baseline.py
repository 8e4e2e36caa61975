"""The handle on what the source computes; the arrays stay in a file that children read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Baseline:
    """`note`: why there is nothing to compare with, half a sentence; then `path` is ""."""

    path: str
    inputs: tuple[str, ...] = ()
    """Names of the source's inputs, in the order of the file; then of what else the golden set holds, e.g. "labels"."""
    outputs: tuple[str, ...] = ()
    """Names of the outputs that are compared: all but sequences, maps and strings."""
    samples: int = 0
    probabilities: frozenset[str] = frozenset()
    """Outputs whose range is [0, 1] by the way they are made."""
    note: str = ""
    given: bool = False
    """Whether the inputs are the golden set's, and not made up."""
