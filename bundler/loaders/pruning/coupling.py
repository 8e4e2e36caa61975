"""What an operator's rule is given: it ties axes of the node's inputs and outputs, or pins them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ...graph.attributes import attribute
from .elements import Array, Axis, Elements
from .survey import Survey


@dataclass(frozen=True, slots=True)
class Contraction:
    """A product with a constant: `weight`, an initializer, sums over its axis `axis` what `value` has along `along`."""

    node: Any
    kind: str
    """"product", "conv" or "deconv"."""
    value: str
    along: int
    weight: str
    axis: int


@dataclass
class Coupling:
    """The ties of one graph as they are found. `heads`: axes that products of two computed values go along."""

    survey: Survey
    elements: Elements
    contractions: list[Contraction] = field(default_factory=list)
    heads: set[Axis] = field(default_factory=set)
    convolved: set[Axis] = field(default_factory=set)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.survey.shapes[name]

    def rank(self, name: str) -> int:
        return len(self.shape(name))

    def places(self, name: str, axis: int) -> Array:
        return self.elements.of(name, axis % max(self.rank(name), 1))

    def tie(self, one: str, axis: int, other: str, to: int) -> None:
        self.elements.tie(self.places(one, axis), self.places(other, to))

    def tie_blocks(self, outer: Array, places: Array) -> None:
        """Each of `outer` with its equal share of `places`, which lie one after the other."""
        self.elements.tie(np.repeat(outer, len(places) // len(outer)), places)

    def pin(self, name: str, *axes: int) -> None:
        """These axes, all without any. A name that is left out, or of no known shape, has none."""
        if name and name in self.survey.shapes:
            for axis in axes or range(self.rank(name)):
                self.elements.pin(self.places(name, axis))

    def alike(self, one: str, other: str, but: Sequence[int] = ()) -> None:
        """Ties all axes of two values that are aligned from the right, as broadcasting does; an axis of one element
        that meets a longer one is free. `but`: axes of `other` that stay apart."""
        shift = self.rank(other) - self.rank(one)
        for axis in range(max(0, -shift), self.rank(one)):
            if self.shape(one)[axis] == self.shape(other)[axis + shift] and axis + shift not in but:
                self.tie(one, axis, other, axis + shift)

    def reshaped(self, one: str, other: str) -> None:
        """The same elements in the same order, in another shape."""
        for a, b in segments(self.shape(one), self.shape(other)):
            if len(a) == len(b) == 1:
                self.tie(one, a[0], other, b[0])
            elif len(a) == 1:
                self._divided(one, a[0], other, b)
            elif len(b) == 1:
                self._divided(other, b[0], one, a)
            else:
                self.pin(one, *a)
                self.pin(other, *b)

    def _divided(self, whole: str, axis: int, parts: str, axes: Sequence[int]) -> None:
        """One axis that is several elsewhere: what goes along one of those goes with all of its blocks."""
        sizes = [self.shape(parts)[one] for one in axes]
        chosen = 1 if len(axes) > 2 and sizes[0] == _QKV else 0
        self.pin(parts, *(one for index, one in enumerate(axes) if index != chosen))
        blocks = np.moveaxis(self.places(whole, axis).reshape(sizes), chosen, 0)
        self.tie_blocks(self.places(parts, axes[chosen]), blocks.ravel())

    def origin(self, name: str, axis: int) -> tuple[str, int] | None:
        """The initializer that a value is, turned or not, and which of its axes `axis` is."""
        node = self.producers.get(name)
        if name in self.survey.tensors:
            return name, axis % self.rank(name)
        if node is None or node.domain or node.op_type not in ("Identity", "Cast", "Transpose"):
            return None
        if node.op_type == "Transpose":
            turned = attribute(node, "perm", list(range(self.rank(name)))[::-1])
            axis = turned[axis % self.rank(name)]
        return self.origin(node.input[0], axis)

    @cached_property
    def producers(self) -> dict[str, Any]:
        """Value -> the node that makes it."""
        return {name: node for node in self.survey.nodes for name in node.output}

    def contracts(self, node: Any, kind: str, value: str, along: int, weight: str, axis: int) -> None:
        """Notes a product with a constant."""
        found = self.origin(weight, axis)
        flat = kind != "product" or (found is not None and self.rank(found[0]) == 2)
        if found is not None and flat and value not in self.survey.tensors:
            self.contractions.append(Contraction(node, kind, value, along % self.rank(value), *found))


_QKV = 3
"""The outermost of three or more axes: query, key and value side by side. Heads come next."""


def segments(one: tuple[int, ...], other: tuple[int, ...]) -> Iterator[tuple[list[int], list[int]]]:
    """The shortest runs of axes of two shapes of the same elements that hold as many. Axes of one element are in none,
    and a shape without elements has none."""
    if prod(one) != prod(other) or not prod(one):
        return
    left = [axis for axis, size in enumerate(one) if size != 1]
    right = [axis for axis, size in enumerate(other) if size != 1]
    while left and right:
        a, b = [left.pop(0)], [right.pop(0)]
        while (x := prod(one[i] for i in a)) != (y := prod(other[i] for i in b)):
            (a if x < y else b).append((left if x < y else right).pop(0))
        yield a, b
