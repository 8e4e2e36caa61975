"""Weights of a rewrite as blocks, rows or tensors of integers: each computed once, however many nodes use it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ..graph.edit import Edit
from ..graph.model import Region, Weight
from .kernels import blocks, integers
from .kernels.blocks import Blocks
from .kernels.integers import Integers
from .kernels.output import Output
from .kernels.tiles import Array, Matrix, Workers


@dataclass(frozen=True, slots=True)
class PackedBlocks:
    """`n` rows of `count` blocks of `k` elements; `scales`, `zeros`: names of initializers, zeros "" when symmetric."""

    kind: Blocks
    k: int
    n: int
    region: Region
    scales: str
    zeros: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Signed bytes in the shape of the weight and one scale for each row; `scales`: [..., 1] of the same rank."""

    values: str
    scales: str


class Packer:
    """Runs kernels for the weights of `edit`, once for each. `done`, `odd`: names of the weights that have another
    form now, and of those that hold what is no finite number."""

    def __init__(self, edit: Edit, output: Output, workers: Workers) -> None:
        self._edit, self._output, self._workers = edit, output, workers
        self._blocks: dict[tuple[Region, Blocks, int, bool, str], PackedBlocks | None] = {}
        self._rows: dict[tuple[Region, int, str], Rows | None] = {}
        self.done: set[str] = set()
        self.odd: set[str] = set()

    def blocks(self, weight: Weight, kind: Blocks, *, transposed: bool, dtype: str) -> PackedBlocks | None:
        """The matrix `weight`, [K, N] or [N, K] when `transposed`. None: it holds what is no finite number."""
        key = (weight.region, kind, weight.shape[-1], transposed, dtype)
        if key not in self._blocks:
            self._blocks[key] = self._pack(weight, kind, transposed, dtype)
        (self.odd if self._blocks[key] is None else self.done).add(weight.name)
        return self._blocks[key]

    def _pack(self, weight: Weight, kind: Blocks, transposed: bool, dtype: str) -> PackedBlocks | None:
        matrix = Matrix(weight.region, weight.dtype, *weight.shape)
        k, n = weight.shape[::-1] if transposed else weight.shape
        region, packed = self._output.reserve(kind.shape(k, n), np.uint8)
        place, scales = self._output.reserve((n, kind.count(k)), np.dtype(dtype))
        zeros = np.empty((n, kind.count(k)), np.uint8)
        with np.errstate(invalid="ignore", over="ignore"):
            blocks.quantize(matrix, kind, packed, scales, zeros, self._workers, transposed=transposed)
        if not np.isfinite(scales).all():
            return None
        stem = f"{weight.name}_{kind.bits}bit"
        named = self._edit.refer(f"{stem}_scales", dtype, scales.shape, place)
        return PackedBlocks(kind, k, n, region, named, "" if kind.symmetric else self._zeros(stem, zeros, kind, k, n))

    def _zeros(self, stem: str, zeros: Array, kind: Blocks, k: int, n: int) -> str:
        place, packed = self._output.reserve(kind.zeros_shape(k, n), np.uint8)
        blocks.pack_zeros(zeros, kind, packed)
        return self._edit.refer(f"{stem}_zeros", "uint8", packed.shape, place)

    def rows(self, weight: Weight, axes: int, *, dtype: str) -> Rows | None:
        """A row is what the first `axes` axes of `weight` point at. None: it holds what is no finite number."""
        key = (weight.region, axes, dtype)
        if key not in self._rows:
            self._rows[key] = self._row_wise(weight, axes, dtype)
        (self.odd if self._rows[key] is None else self.done).add(weight.name)
        return self._rows[key]

    def _row_wise(self, weight: Weight, axes: int, dtype: str) -> Rows | None:
        rows = prod(weight.shape[:axes])
        matrix = Matrix(weight.region, weight.dtype, rows, prod(weight.shape[axes:]))
        kind = Integers(signed=True)
        low, high = integers.ranges(matrix, 0, self._workers)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            return None
        scale, zero = integers.scales(low, high, kind)
        scale = np.maximum(scale.astype(dtype), np.finfo(dtype).smallest_subnormal).astype(np.float32)
        region, values = self._output.reserve((rows, matrix.cols), np.int8)
        integers.quantize(matrix, scale, zero, kind, values, self._workers)
        shape = weight.shape[:axes] + (1,) * (len(weight.shape) - axes)
        named = self._edit.refer(f"{weight.name}_8bit", "int8", weight.shape, region)
        return Rows(named, self._edit.put(f"{weight.name}_scales", scale.astype(dtype).reshape(shape)))
