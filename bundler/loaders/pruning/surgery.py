"""Structured pruning of one model: what can go, in which order, and the model without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from math import inf, prod
from typing import Any

import numpy as np

from ...graph.model import Model
from ...process.memory import is_out_of_memory
from ..search.hull import Move, Option, moves
from ..verify.baseline import Baseline
from ..verify.samples import load
from .calibrate import Moments, Product, columns_of, matrix, products, spread, weight_of
from .coupling import Contraction
from .cut import cut as cut_off
from .elements import Array
from .families import Cut, Family, families, gone, shapes_after
from .flops import flops
from .ladder import Reader, Rung, ladder, refitted, steps
from .rules import coupled, ruled
from .survey import Survey, observed

WIDEST = 6144
"""Columns of a product: moments of twice as many take more than a gigabyte."""


class Surgery:
    """`wanted`: which families it is for. `families`: what can be cut. `flops`: of the model, on the first sample."""

    def __init__(
        self, model: Model, scratch: str, samples: Baseline, wanted: Callable[[Family], bool] = lambda family: True
    ) -> None:
        self._model, self._samples = model, samples
        feeds, _ = next(load(samples, model.signature))
        self.sample = {name: list(np.shape(array)) for name, array in feeds.items()}
        self._shapes = observed(model, feeds)
        self._survey = Survey(model, scratch, self._shapes)
        self.families = [family for family in families(coupled(self._survey)) if wanted(family) and self._fits(family)]
        self.flops = flops(self._survey.nodes, self._survey.shapes)
        self._products = products((one for family in self.families for one in family.readers), self._survey)
        self._readers: dict[str, Reader] = {}
        self._ladders: list[list[Rung]] = []

    def measure(self) -> None:
        """Runs the samples, and finds the order in which the units of each family go."""
        moments = Moments(self._products, self._survey)
        feeds = (one for one, _ in load(self._samples, self._model.signature))
        moments.run(self._model, spread(feeds, self._samples.samples))
        for weight, product in self._products.items():
            self._readers[weight] = self._reader(product, moments.of(weight))
        numbers = {weight for weight, reader in self._readers.items() if np.isfinite(reader.moments).all()}
        self.families = [one for one in self.families if all(reader.weight in numbers for reader in one.readers)]
        self._ladders = [self._ladder(family) for family in self.families]
        self.scales = [1.0] * len(self.families)

    def probe(self, error: Callable[[Cut], float]) -> list[str]:
        """Weighs families against each other by what half of each does to the outputs. `error`: squared, relative.

        A family whose half cannot go after all, because something computes with its size, stays whole; returns why."""
        reasons = []
        for index, rungs in enumerate(self._ladders):
            rung = min(rungs, key=lambda one: abs(len(one.gone) - self.families[index].units / 2))
            try:
                self.scales[index] = error({index: rung.gone}) / max(rung.error, 1e-12)
            except Exception as fault:
                if is_out_of_memory(fault) or not type(fault).__module__.startswith("onnxruntime"):
                    raise
                self.scales[index] = inf
                reasons.append(f"{self.families[index].name}: {str(fault).strip().partition(chr(10))[0]}")
        return reasons

    def moves(self, kinds: Iterable[str], *, by_units: bool = False) -> list[Move]:
        """Rungs worth taking, the cheapest for what they save first: FLOPs, or units."""
        wanted = set(kinds)
        options = {
            str(index): [
                Option(level, len(rung.gone) if by_units else self._saved(index, rung), rung.error * self.scales[index])
                for level, rung in enumerate(self._ladders[index])
            ]
            for index, family in enumerate(self.families)
            if family.kind in wanted and self.scales[index] < inf
        }
        return moves(options)

    def cut_of(self, taken: Iterable[Move]) -> Cut:
        """The units that are gone after these moves."""
        return {int(move.weight): self._ladders[int(move.weight)][move.choice].gone for move in taken}

    def flops_after(self, cut: Cut) -> int:
        shapes = shapes_after(self._survey.shapes, gone(self.families, cut))
        return flops(self._survey.nodes, shapes)

    def without(self, cut: Cut, scratch: str) -> Model:
        """The model without these units; what reads them is fitted to what is left."""
        survey = Survey(self._model, scratch, self._shapes)
        masks = gone(self.families, cut)
        fitted: dict[str, Array] = {}
        for weight, product in self._products.items():
            mask = masks.get((weight, product.first.axis))
            if mask is not None:
                fitted |= self._fitted(product, np.flatnonzero(mask))
        return cut_off(survey, masks, shapes_after(survey.shapes, masks), fitted)

    def unruled(self) -> list[str]:
        """Operators that no rule is known of, most frequent first."""
        return [op for op, _ in Counter(node.op_type for node in self._survey.nodes if not ruled(node)).most_common()]

    def _fits(self, family: Family) -> bool:
        """Moments of a wider product would not fit into the memory."""
        shapes = self._survey.shapes
        return all(prod(shapes[one.weight]) // shapes[one.weight][_outputs(one)] <= WIDEST for one in family.readers)

    def _ladder(self, family: Family) -> list[Rung]:
        readers = self._readers_of(family)
        return ladder(readers, steps(family.units, max(len(one.weight) for one in readers), family.grain))

    def _saved(self, index: int, rung: Rung) -> int:
        return self.flops - self.flops_after({index: rung.gone})

    def _reader(self, product: Product, moments: Array) -> Reader:
        weight = matrix(self._survey.array(product.weight).astype(np.float64), product.first)
        if product.bias:
            bias = self._survey.array(product.bias).astype(np.float64).reshape(1, -1)
            return Reader(moments, np.concatenate([weight, bias]), np.zeros((0, 0), np.int64))
        return Reader(moments[:-1, :-1], weight, np.zeros((0, 0), np.int64))

    def _readers_of(self, family: Family) -> list[Reader]:
        found = {}
        for one in family.readers:
            places = family.places[one.weight, one.axis]
            indices = np.stack([np.flatnonzero(places == unit) for unit in range(family.units)])
            columns = columns_of(indices, one, self._survey.shapes[one.weight])
            reader = self._readers[one.weight]
            found[one.weight] = Reader(reader.moments, reader.levelled(), columns)
        return list(found.values())

    def _fitted(self, product: Product, indices: Array) -> Mapping[str, Any]:
        shape = self._survey.shapes[product.weight]
        values = refitted(self._readers[product.weight], columns_of(indices, product.first, shape))
        if not product.bias:
            return {product.weight: weight_of(values, product.first, shape)}
        bias = values[-1].reshape(self._survey.shapes[product.bias])
        return {product.weight: weight_of(values[:-1], product.first, shape), product.bias: bias}


def _outputs(reader: Contraction) -> int:
    """The axis of a weight that is not summed over."""
    return 1 - reader.axis if reader.kind == "product" else {"conv": 0, "deconv": 1}[reader.kind]
