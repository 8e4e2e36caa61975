"""What products with constants are fed on samples: second moments of their inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...graph.attributes import attribute
from ...graph.model import Model
from ...graph.session import open_session
from .coupling import Contraction
from .elements import Array
from .survey import Survey, handing_out

SAMPLES = 32
"""At most so many are run, spread over all."""
ROWS = 4096
"""At most so many places of one sample count: those of an image depend on each other."""
_ADDS = {"Add": (0, 1), "BiasGelu": (1,), "FastGelu": (1,), "SkipLayerNormalization": (4,)}
"""Operators that add a bias, and which of their inputs it may be."""


@dataclass(frozen=True, slots=True)
class Product:
    """A weight that is read, however often. `biases`: initializer, or "" where it has none that can be changed."""

    weight: str
    readers: tuple[Contraction, ...]
    bias: str

    @property
    def first(self) -> Contraction:
        return self.readers[0]


def products(readers: Iterable[Contraction], survey: Survey) -> dict[str, Product]:
    """By weight."""
    found: dict[str, list[Contraction]] = {}
    for one in readers:
        if one not in found.setdefault(one.weight, []):
            found[one.weight].append(one)
    return {weight: Product(weight, tuple(own), _bias(own, survey)) for weight, own in found.items()}


def _bias(readers: Sequence[Contraction], survey: Survey) -> str:
    """A vector that is added to one product right away, and to nothing else."""
    if len(readers) != 1 or readers[0].kind == "deconv":
        return ""
    node = readers[0].node
    if node.op_type in ("Conv", "FusedConv", "FusedGemm", "Gemm"):
        plain = attribute(node, "alpha", 1.0) == attribute(node, "beta", 1.0) == 1.0
        return _vector(node.input[2] if plain and len(node.input) > 2 else "", readers[0], survey)
    users = [one for one in survey.nodes if node.output[0] in one.input]
    if len(users) != 1 or survey.uses[node.output[0]] != 1 or attribute(node, "alpha", 1.0) != 1.0:
        return ""
    places = _ADDS.get(users[0].op_type, ())
    return next(filter(None, (_vector(_input(users[0], place), readers[0], survey) for place in places)), "")


def _input(node: Any, index: int) -> str:
    return str(node.input[index]) if index < len(node.input) else ""


def _vector(name: str, reader: Contraction, survey: Survey) -> str:
    tensor = survey.tensors.get(name)
    count = matrix(np.empty(survey.shapes[reader.weight], np.bool_), reader).shape[1]
    if tensor is None or survey.uses[name] != 1 or prod(tensor.dims) != count:
        return ""
    return name if tensor.data_type == survey.tensors[reader.weight].data_type else ""


def matrix(array: Array, reader: Contraction) -> Array:
    """The weight as [k, n]: what is summed over, and what for."""
    if reader.kind == "product":
        return array if reader.axis == 0 else array.T
    moved = np.moveaxis(array, 0, -1) if reader.kind == "conv" else array
    return moved.reshape(-1, moved.shape[-1]) if reader.kind == "conv" else moved.reshape(len(moved), -1)


def weight_of(values: Array, reader: Contraction, shape: tuple[int, ...]) -> Array:
    """The other way: [k, n] in the shape of the weight."""
    if reader.kind == "product":
        return values if reader.axis == 0 else values.T
    if reader.kind == "conv":
        return np.moveaxis(values.reshape(*shape[1:], shape[0]), -1, 0)
    return values.reshape(shape)


def columns_of(indices: Array, reader: Contraction, shape: tuple[int, ...]) -> Array:
    """Rows of `matrix` that belong to indices of the weight's summed axis."""
    taps = prod(shape[2:]) if reader.kind == "conv" else 1
    return np.asarray(indices[..., None] * taps + np.arange(taps)).reshape(*indices.shape[:-1], -1)


class Moments:
    """Mean of x x^T for each product, with the constant 1 last; and on how many rows."""

    def __init__(self, found: Mapping[str, Product], survey: Survey) -> None:
        self._products, self._survey = found, survey
        self.values = sorted({one.value for product in found.values() for one in product.readers})
        self._sums: dict[str, Array] = {}
        self._rows: dict[str, int] = dict.fromkeys(found, 0)

    def run(self, model: Model, samples: Iterator[Mapping[str, Array]]) -> None:
        """Adds what the model feeds its products on these samples."""
        session = open_session(handing_out(model, self.values), level="basic", threads=2)
        for feeds in samples:
            seen = dict(zip(self.values, session.run(self.values, dict(feeds)), strict=True))
            for weight, product in self._products.items():
                for reader in product.readers:
                    self._add(weight, rows(seen[reader.value], reader, self._survey.shapes[weight]))

    def _add(self, weight: str, x: Array) -> None:
        x = np.concatenate([x, np.ones((len(x), 1), np.float32)], 1)
        own = x.T @ x
        self._sums[weight] = self._sums[weight] + own if weight in self._sums else own
        self._rows[weight] += len(x)

    def of(self, weight: str) -> Array:
        return self._sums[weight] / max(self._rows[weight], 1)


def rows(value: Array, reader: Contraction, shape: tuple[int, ...]) -> Array:
    """What one product is fed, as rows of float32 that its weight, as `matrix`, is multiplied with."""
    value = value.astype(np.float32)
    if reader.kind == "conv":
        return _patches(value, reader.node, shape)
    return _thinned(np.moveaxis(value, reader.along, -1).reshape(-1, value.shape[reader.along]))


def _thinned(x: Array) -> Array:
    return x[:: max(1, -(-len(x) // ROWS))]


def _patches(value: Array, node: Any, shape: tuple[int, ...]) -> Array:
    """[places, channels * taps]: the part of the input that each place of a convolution's output is made of."""
    kernel, rank = shape[2:], len(shape) - 2
    strides, dilations = attribute(node, "strides", [1] * rank), attribute(node, "dilations", [1] * rank)
    reach = [(size - 1) * gap + 1 for size, gap in zip(kernel, dilations, strict=True)]
    padded = np.pad(value, [(0, 0), (0, 0), *_pads(node, value.shape[2:], reach, strides)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, tuple(range(2, 2 + rank)))
    places = tuple(slice(None, None, step) for step in strides)
    taps = tuple(slice(None, None, gap) for gap in dilations)
    chosen = windows[(slice(None), slice(None), *places, *taps)]
    thin = max(1, -(-(len(value) * prod(chosen.shape[2 : 2 + rank])) // ROWS))
    flat = np.moveaxis(chosen, 1, 1 + rank)
    index = np.arange(0, prod(flat.shape[: 1 + rank]), thin)
    return flat[np.unravel_index(index, flat.shape[: 1 + rank])].reshape(len(index), -1)


def _pads(node: Any, sizes: Sequence[int], reach: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    auto = attribute(node, "auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        need = [max((-(-s // t) - 1) * t + r - s, 0) for s, r, t in zip(sizes, reach, strides, strict=True)]
        less = [one // 2 for one in need]
        pairs = [(a, b - a) for a, b in zip(less, need, strict=True)]
        return pairs if auto == b"SAME_UPPER" else [pair[::-1] for pair in pairs]
    pads = attribute(node, "pads", [0] * (2 * len(sizes))) if auto == b"NOTSET" else [0] * (2 * len(sizes))
    return list(zip(pads[: len(sizes)], pads[len(sizes) :], strict=True))


def spread(samples: Iterable[Any], count: int) -> Iterator[Any]:
    """At most SAMPLES of `count` samples, evenly from all of them."""
    step = max(1, -(-count // SAMPLES))
    return (one for index, one in enumerate(samples) if index % step == step // 2 or count <= SAMPLES)
