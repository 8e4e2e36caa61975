"""Which places along the axes of a graph's values can only go together.

A place is (value, axis, index). Rules of operators tie places: the third column of a weight, the third element of what
it makes, the third row of the weight that reads it. What is tied to place 0 is pinned: it cannot go. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Axis: TypeAlias = tuple[str, int]
"""Name of a value, and number of one of its axes."""


class Elements:
    """`shapes`: of all values that are known."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._starts: dict[Axis, tuple[int, int]] = {}
        self._count = 1
        self._edges: list[tuple[Array, Array]] = []
        for name, shape in shapes.items():
            for axis, size in enumerate(shape):
                self._starts[name, axis] = (self._count, size)
                self._count += size

    def of(self, name: str, axis: int) -> Array:
        """The places along an axis."""
        start, size = self._starts[name, axis]
        return np.arange(start, start + size)

    def fresh(self, count: int) -> Array:
        """Places of nothing, that others are tied to."""
        self._count += count
        return np.arange(self._count - count, self._count)

    def tie(self, one: Array, other: Array) -> None:
        """Element by element."""
        self._edges.append((one.ravel(), other.ravel()))

    def pin(self, places: Array) -> None:
        self.tie(places, np.zeros_like(places))

    def sets(self) -> dict[Axis, Array]:
        """For each axis the number of the set that each of its places is in; 0: pinned."""
        roots = _components(self._count, self._edges)
        return {axis: roots[start : start + size] for axis, (start, size) in self._starts.items()}


def _components(count: int, edges: list[tuple[Array, Array]]) -> Array:
    """The least place that each is tied to, directly or not; a root at a time takes over its neighbours' trees."""
    one = np.concatenate([edge[0] for edge in edges]) if edges else np.zeros(0, np.int64)
    other = np.concatenate([edge[1] for edge in edges]) if edges else np.zeros(0, np.int64)
    roots = np.arange(count)
    while True:
        a, b = roots[one], roots[other]
        if np.array_equal(a, b):
            return roots
        least = np.minimum(a, b)
        np.minimum.at(roots, a, least)
        np.minimum.at(roots, b, least)
        while not np.array_equal(roots, roots[roots]):
            roots = roots[roots]
