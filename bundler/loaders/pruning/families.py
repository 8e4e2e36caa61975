"""What can be cut: units (a head, a neuron, a channel) in families of alike ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .coupling import Contraction, Coupling
from .elements import Array, Axis
from .survey import FLOATS

Kind = Literal["heads", "neurons", "channels"]
KINDS: tuple[Kind, ...] = ("heads", "neurons", "channels")
Cut = Mapping[int, Iterable[int]]
"""Number of a family -> its units that go."""
_GRAINS = (16, 8, 4)


@dataclass(frozen=True)
class Family:
    """`places`: axis -> for each of its indices the unit that it goes with, -1 for none of this family."""

    kind: Kind
    units: int
    places: dict[Axis, Array]
    readers: tuple[Contraction, ...]
    """The products that sum over the units: what is lost is lost there."""

    @property
    def grain(self) -> int:
        """What is left is a multiple of this: kernels work on so many at once, and are slower on the rest.

        A convolution of 32 and 64 channels takes three times as long with 31 and 63 (onnxruntime, AVX-512)."""
        if self.kind == "heads":
            return 1
        return next((grain for grain in _GRAINS if self.units >= 2 * grain), 1)

    @property
    def name(self) -> str:
        """After the weight that reads it."""
        return self.readers[0].weight


def families(found: Coupling) -> list[Family]:
    """All of them, in the order of the graph."""
    members: dict[int, list[Axis]] = {}
    sets = found.elements.sets()
    for axis, numbers in sets.items():
        for number in np.unique(numbers):
            if number:
                members.setdefault(int(number), []).append(axis)
    alike: dict[tuple[Axis, ...], list[int]] = {}
    for number, axes in sorted(members.items()):
        alike.setdefault(tuple(axes), []).append(number)
    made = (_family(axes, numbers, sets, found) for axes, numbers in alike.items() if len(numbers) > 1)
    return [family for family in made if family is not None]


def _family(axes: tuple[Axis, ...], numbers: list[int], sets: dict[Axis, Array], found: Coupling) -> Family | None:
    """None: no constant float weight, and only one way, sums over it."""
    readers = tuple(
        one for one in found.contractions if (one.weight, one.axis) in axes and (one.value, one.along) in axes
    )
    if not readers or not all(_alike(one, found) for one in readers):
        return None
    places = {}
    for axis in axes:
        at = np.searchsorted(numbers, sets[axis])
        fits = np.take(numbers, np.minimum(at, len(numbers) - 1)) == sets[axis]
        places[axis] = np.where(fits, at, -1)
    if any(len(set(np.bincount(places[one.weight, one.axis] + 1, minlength=2)[1:].tolist())) > 1 for one in readers):
        return None  # units of unlike size have no order
    return Family(_kind(axes, found), len(numbers), places, readers)


def _alike(reader: Contraction, found: Coupling) -> bool:
    """Whether its weight holds floats, and everything that reads it sums over the same axis."""
    ways = {(one.kind, one.axis) for one in found.contractions if one.weight == reader.weight}
    return len(ways) == 1 and found.survey.tensors[reader.weight].data_type in FLOATS


def _kind(axes: tuple[Axis, ...], found: Coupling) -> Kind:
    if found.heads & set(axes):
        return "heads"
    return "channels" if found.convolved & set(axes) else "neurons"


def gone(all_families: list[Family], cut: Cut) -> dict[Axis, Array]:
    """For each axis that gets shorter, which of its indices go."""
    masks: dict[Axis, Array] = {}
    for index, units in cut.items():
        chosen = list(units)
        for axis, places in all_families[index].places.items() if chosen else ():
            mask = np.isin(places, chosen)
            masks[axis] = masks[axis] | mask if axis in masks else mask
    return {axis: mask for axis, mask in masks.items() if mask.any()}


def shapes_after(shapes: Mapping[str, tuple[int, ...]], masks: Mapping[Axis, Array]) -> dict[str, tuple[int, ...]]:
    """The shapes of all values once `masks` are gone."""
    found = dict(shapes)
    for (name, axis), mask in masks.items():
        size = found[name][axis] - int(np.count_nonzero(mask))
        found[name] = (*found[name][:axis], size, *found[name][axis + 1 :])
    return found
