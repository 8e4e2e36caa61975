"""In which order the units of a family go, and what each step costs: optimal brain surgery on whole units. Pure.

A product y = x W is kept as close as possible while columns of x go: the rest of W takes over what it can, by least
squares. With H = mean of x x^T, taking the set S costs tr(W_S^T (H^-1_SS)^-1 W_S), and H^-1 of what is left follows
without another inversion. See Kurtic et al., ZipLM, and Frantar, Alistarh, SparseGPT, for the algebra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .elements import Array

DAMP = 0.01
"""Share of H's mean diagonal that is added to it: samples are few, and inputs depend on each other."""
_SINGLE = 512
"""Columns from which on single precision is good enough for what only tells units apart."""
RUNGS, WIDE = 32, 1600
"""Steps from nothing to all, half as many for products of more columns: each costs their square. Between two of them
the costs of units are not computed anew."""


@dataclass(frozen=True)
class Reader:
    """One product. `moments` [k, k]: H, of all that it sums over and, last, of the constant 1 where it has a bias.
    `weight` [k, n]: with the bias as last row. `columns` [units, m]: the columns of x that go with each unit."""

    moments: Array
    weight: Array
    columns: Array

    def damped(self) -> Array:
        """H in double precision, with something on its diagonal."""
        found = self.moments.astype(np.float64)
        found[np.diag_indices_from(found)] += max(DAMP * float(np.diag(found).mean()), 1e-12)
        return np.asarray(found)

    def levelled(self) -> Array:
        """The weight with outputs of one variance: the few that are a hundred times larger than all others (of a
        transformer) would decide alone, and norms that follow make them alike."""
        squares = np.einsum("kn,kn->n", self.moments @ self.weight, self.weight)
        return np.asarray(self.weight / np.sqrt(np.maximum(squares, max(1e-6 * float(squares.max()), 1e-30))))

    def energy(self) -> float:
        """Mean squared length of y."""
        return max(float(np.vdot(self.moments @ self.weight, self.weight)), 1e-30)


@dataclass(frozen=True, slots=True)
class Rung:
    """`gone`: units, all that earlier rungs have and more. `error`: share of y's energy that is lost with them."""

    gone: tuple[int, ...]
    error: float


def steps(units: int, columns: int, grain: int) -> list[int]:
    """How many units each rung leaves: multiples of `grain`, the most first."""
    every = grain * max(1, round(units / grain / (RUNGS // 2 if columns > WIDE else RUNGS)))
    return list(range((units - 1) // every * every, 0, -every)) or [1] * (units > 1)


def ladder(readers: Sequence[Reader], leave: Sequence[int]) -> list[Rung]:
    """A rung for each number of units that `leave` says are left."""
    climbs = [_Climb(reader) for reader in readers]
    units = len(readers[0].columns)
    left, found, error = list(range(units)), [], 0.0
    for count in leave:
        costs = sum(climb.costs(left) for climb in climbs)
        going = sorted(left[index] for index in np.argsort(costs, kind="stable")[: len(left) - count])
        error += sum(climb.take(going) for climb in climbs)
        left = [unit for unit in left if unit not in set(going)]
        found.append(Rung(tuple(sorted(set(range(units)) - set(left))), error))
    return found


class _Climb:
    """One product on its way; rows and columns of what is gone are dropped."""

    def __init__(self, reader: Reader) -> None:
        kind: Any = np.float32 if len(reader.weight) > _SINGLE else np.float64
        self._inverse: Array = np.linalg.inv(reader.damped()).astype(kind)
        self._weight: Array = reader.weight.astype(kind)
        self._columns, self._energy = reader.columns, reader.energy()
        self._place = np.arange(len(self._weight))

    def costs(self, units: Sequence[int]) -> Array:
        """What each of them alone would cost."""
        columns = self._place[self._columns[units]]
        blocks = self._inverse[columns[:, :, None], columns[:, None, :]]
        weights = self._weight[columns]
        return np.asarray(np.einsum("umn,umn->u", weights, np.linalg.solve(blocks, weights)) / self._energy)

    def take(self, units: Sequence[int]) -> float:
        """Takes them away for good; what it costs."""
        gone = self._place[self._columns[units].ravel()]
        kept = np.ones(len(self._weight), bool)
        kept[gone] = False
        weight, across = self._weight[gone], self._inverse[np.ix_(gone, kept)]
        solved = np.linalg.solve(self._inverse[np.ix_(gone, gone)], np.hstack([weight, across]))
        share, onto = solved[:, : weight.shape[1]], solved[:, weight.shape[1] :]
        self._weight = self._weight[kept] - across.T @ share
        self._inverse = self._inverse[np.ix_(kept, kept)]
        self._inverse -= across.T @ onto
        self._place = np.where(
            np.isin(self._place, gone), -1, self._place - np.searchsorted(np.sort(gone), self._place)
        )
        return float(np.vdot(weight, share)) / self._energy


def refitted(reader: Reader, columns: Array) -> Array:
    """The weight [k, n] once `columns` of x are gone: the other rows take over what they can, those are zero."""
    gone = np.zeros(len(reader.weight), bool)
    gone[columns] = True
    moments = reader.damped()
    weight = reader.weight.astype(np.float64).copy()
    weight[~gone] += np.linalg.solve(moments[np.ix_(~gone, ~gone)], moments[np.ix_(~gone, gone)] @ weight[gone])
    weight[gone] = 0
    return np.asarray(weight)
