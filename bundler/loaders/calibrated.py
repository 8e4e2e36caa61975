"""What real inputs tell about a model's weights: how the inputs of each product vary together, and which rows of its
tables are looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ..graph.model import Model
from ..graph.visit import nodes
from .kernels.tiles import Array
from .nodes import right_factor
from .verify.baseline import Baseline
from .verify.samples import load
from .verify.session import Runner

ROWS = 16384
"""Of a product's inputs, spread over the samples: more say little that is new, and cost K squared each. With 4096, the
top-10 overlap of MiniLM in 4 bits is 0.01 less."""
MOST = 4096
"""Inputs of a product whose second moments are worth K squared numbers."""


@dataclass(frozen=True)
class Calibration:
    """`squares`: name of a product's left input -> [K, K]. `inputs`: weight -> that name. `rows`: table -> the rows of
    it that were looked up."""

    squares: dict[str, Array]
    inputs: dict[str, str]
    rows: dict[str, Array]
    rounded: dict[tuple[object, ...], Any] = field(default_factory=dict, compare=False)
    """What has been rounded with this in view: a search asks for the same again and again."""

    def of(self, weight: str) -> Array | None:
        """The second moments of what the weight is multiplied with, where they are known."""
        return self.squares.get(self.inputs.get(weight, ""))


@lru_cache(maxsize=2)
def calibration(model: Model, samples: Baseline) -> Calibration:
    """Runs all samples. Kept for the last models: a search asks again and again."""
    products, tables = _places(model)
    squares: dict[str, Array] = {}
    rows: dict[str, list[Array]] = {name: [] for name in tables}
    multiplied = sorted(set(products.values()))
    wanted = sorted({*multiplied, *tables.values()})
    fed = {port.name for port in model.signature.inputs}
    shown = [name for name in wanted if name not in fed]
    runner = Runner(_showing(model, shown), fast=True)
    share, seen = max(ROWS // max(samples.samples, 1), 32), Counter[str]()
    for inputs, _ in load(samples, model.signature):
        values = dict(zip(shown, runner.run_for(tuple(shown), inputs) if shown else [], strict=True)) | inputs
        for name in multiplied:
            some = _some(values[name], share)
            squares[name] = squares.get(name, 0) + (some.T @ some).astype(np.float64)
            seen[name] += len(some)
        for table, indices in tables.items():
            rows[table].append(np.unique(values[indices]))
    means = {name: found / max(seen[name], 1) for name, found in squares.items()}
    return Calibration(
        means, products, {name: np.unique(np.concatenate(found)) for name, found in rows.items() if found}
    )


def _some(values: Array, count: int) -> Array:
    """At most `count` of the vectors along the last axis, evenly spread."""
    vectors = values.reshape(-1, values.shape[-1])
    places = np.unique(np.linspace(0, len(vectors) - 1, min(count, len(vectors))).astype(np.int64))
    found: Array = vectors[places].astype(np.float32)
    return found[np.isfinite(found).all(1)]


def _places(model: Model) -> tuple[dict[str, str], dict[str, str]]:
    """(weight -> what it is multiplied with, table -> its indices), of the main graph. A weight that several nodes use
    is in neither: it can only have one form."""
    proto = _skeleton(model)
    weights = {weight.name: weight for weight in model.weights}
    uses = Counter(name for node in nodes(proto.graph) for name in node.input)
    products, tables = dict[str, str](), dict[str, str]()
    for node in proto.graph.node:
        for weight in (weights[name] for name in node.input[:2] if name in weights and uses[name] == 1):
            if len(weight.shape) != 2:
                continue
            turned = right_factor(node)
            if turned is not None and node.input[1] == weight.name:
                k = weight.shape[1] if turned else weight.shape[0]
                products |= {weight.name: node.input[0]} if k <= MOST else {}
            elif node.op_type == "Gather" and node.input[0] == weight.name:
                tables[weight.name] = node.input[1]
    return products, tables


def _showing(model: Model, names: list[str]) -> Model:
    """The model with more outputs."""
    proto = _skeleton(model)
    own = {value.name for value in proto.graph.output}
    for name in names:
        if name not in own:
            proto.graph.output.add(name=name)
    return replace(model, skeleton=proto.SerializeToString(deterministic=True))


def _skeleton(model: Model) -> Any:
    import onnx

    return onnx.load_model_from_string(model.skeleton)


def looked_up(found: Calibration | None, table: str, count: int) -> Array | None:
    """The rows of a table of `count` rows that deserve more bits; None where those are all, or none."""
    rows = found.rows.get(table) if found is not None else None
    if rows is None or not 0 < len(rows) <= count // 2 or rows[0] < 0 or rows[-1] >= count:
        return None
    return rows


def pieces(rows: Array, count: int) -> Iterator[Array]:
    """The rows, and the others."""
    yield rows
    yield np.setdiff1d(np.arange(count), rows, assume_unique=True)
