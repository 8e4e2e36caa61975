"""Three models as lists of tensors, and seven edits of them. Sizes are those of real exports; digests are made up,
other ones for each `draw`.

Nodes a layer: 100 where weights are int8 (measured: smart-turn-v3.2 has 406 in 4 layers), 60 for float32.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Weight:
    """`content` changes when the bytes do; a tensor that grew keeps it, and its first bytes with it."""

    name: str
    nbytes: int
    content: str


@dataclass(frozen=True, slots=True)
class Shape:
    """`row`: bytes of one row of the vocabulary, which is the first tensor. `nodes`: of the graph."""

    title: str
    layers: int
    row: int
    nodes: int
    weights: tuple[Weight, ...]

    @property
    def nbytes(self) -> int:
        return sum(weight.nbytes for weight in self.weights)


Models = tuple[tuple[Weight, ...], ...]
"""The weights of each entry of a build, in declaration order."""


def minilm(draw: int = 0) -> Shape:
    """MiniLM-L6, weights int8, biases and norms float32."""
    return _encoder("MiniLM-L6 int8", draw, hidden=384, layers=6, vocabulary=30522, width=1, nodes=100)


def bert(draw: int = 0) -> Shape:
    return _encoder("BERT-base fp32", draw, hidden=768, layers=12, vocabulary=30522, width=4, nodes=60)


def decoder(draw: int = 0) -> Shape:
    """GPT-2 medium, weights int8 with one float32 scale a row."""
    hidden, layers, vocabulary = 1024, 24, 50257
    tensors = [("wte", vocabulary * hidden), ("wpe", hidden * hidden)]
    for layer in range(layers):
        tensors += _norm(f"{layer}.ln1", hidden)
        for name in ("q", "k", "v", "o"):
            tensors += _scaled(f"{layer}.{name}", hidden, hidden)
        tensors += _norm(f"{layer}.ln2", hidden)
        tensors += _scaled(f"{layer}.up", hidden, 4 * hidden) + _scaled(f"{layer}.down", 4 * hidden, hidden)
    tensors += _norm("lnf", hidden) + _scaled("head", hidden, hidden)
    return _shape("Decoder 24L int8", draw, layers, hidden, 100 * layers, tensors)


SHAPES = (minilm, bert, decoder)


def edits(shape: Shape) -> Iterator[tuple[str, Models]]:
    """(what happened, the build after it). Before it the build has the one entry `shape`."""
    middle = f"{shape.layers // 2}."
    last = f"{shape.layers - 1}."
    before = shape.weights
    own_head = _changed(before, "head")
    yield "one layer changed", (_changed(before, middle),)
    yield "head changed", (_changed(before, "head"),)
    yield "vocabulary +8 rows", ((replace(before[0], nbytes=before[0].nbytes + 8 * shape.row), *before[1:]),)
    yield "one big tensor removed", (tuple(weight for weight in before if weight.name != f"{middle}up"),)
    yield "initializers renamed", (tuple(replace(weight, name=f"onnx::{weight.name}_x") for weight in before),)
    yield "entry added: own head", (before, own_head)
    yield "entry added: own head and last layer", (before, _changed(own_head, last))


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _encoder(title: str, draw: int, hidden: int, layers: int, vocabulary: int, width: int, nodes: int) -> Shape:
    tensors = [("word", vocabulary * hidden * width), ("position", 512 * hidden * width), *_norm("embedding", hidden)]
    for layer in range(layers):
        for name in ("q", "k", "v", "o"):
            tensors += [(f"{layer}.{name}", hidden * hidden * width), (f"{layer}.{name}.bias", 4 * hidden)]
        tensors += _norm(f"{layer}.ln1", hidden)
        tensors += [(f"{layer}.up", 4 * hidden * hidden * width), (f"{layer}.up.bias", 16 * hidden)]
        tensors += [(f"{layer}.down", 4 * hidden * hidden * width), (f"{layer}.down.bias", 4 * hidden)]
        tensors += _norm(f"{layer}.ln2", hidden)
    tensors += [("head", hidden * hidden * width), ("head.bias", 4 * hidden)]
    return _shape(title, draw, layers, hidden * width, nodes * layers, tensors)


def _norm(name: str, hidden: int) -> list[tuple[str, int]]:
    return [(f"{name}.weight", 4 * hidden), (f"{name}.bias", 4 * hidden)]


def _scaled(name: str, rows: int, columns: int) -> list[tuple[str, int]]:
    return [(name, rows * columns), (f"{name}.scale", 4 * columns), (f"{name}.bias", 4 * columns)]


def _shape(title: str, draw: int, layers: int, row: int, nodes: int, tensors: list[tuple[str, int]]) -> Shape:
    weights = tuple(Weight(name, nbytes, digest(title, draw, name)) for name, nbytes in tensors)
    return Shape(title, layers, row, nodes, weights)


def _changed(weights: tuple[Weight, ...], prefix: str) -> tuple[Weight, ...]:
    """New values, same sizes, for all tensors whose name starts like that."""
    return tuple(
        replace(weight, content=digest("changed", weight.content)) if weight.name.startswith(prefix) else weight
        for weight in weights
    )
