"""Weights of a rewrite as blocks, rows or tensors of integers: each computed once, however many nodes use it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ..graph.edit import Edit
from ..graph.model import Region, Weight
from .calibrated import Calibration
from .kernels import blocks, feedback, integers
from .kernels.blocks import Blocks
from .kernels.feedback import Rounded
from .kernels.integers import Axis, Integers
from .kernels.output import Output
from .kernels.tiles import Array, Matrix, Tile, Workers


@dataclass(frozen=True, slots=True)
class PackedBlocks:
    """`n` rows of `count` blocks of `k` elements; `scales`, `zeros`: names of initializers, zeros "" when symmetric.
    `stored`: the type of the scales."""

    kind: Blocks
    k: int
    n: int
    region: Region
    scales: str
    zeros: str
    stored: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Signed bytes in the shape of the weight and one scale for each row; `scales`: [..., 1] of the same rank."""

    values: str
    scales: str


@dataclass(frozen=True, slots=True)
class Scaled:
    """Names of three initializers: bytes, their scale (float32) and their zero point."""

    values: str
    scale: str
    zero: str


@dataclass(frozen=True, slots=True)
class Form:
    """How bytes stand in for a weight. `rows`: how it is cut into rows, by the number of its leading axes."""

    kind: Integers
    rows: int
    axis: Axis = None
    transposed: bool = False
    """The last two axes change places."""


class Packer:
    """Runs kernels for the weights of `edit`, once for each. `done`, `odd`: names of the weights that have another
    form now, and of those that hold what is no finite number."""

    def __init__(self, edit: Edit, output: Output, workers: Workers) -> None:
        self._edit, self._output, self._workers = edit, output, workers
        self._blocks: dict[tuple[Region, Blocks, int, bool, str], PackedBlocks | None] = {}
        self._rows: dict[tuple[Region, int, str], Rows | None] = {}
        self._scaled: dict[tuple[Region, tuple[int, ...], Form], Scaled | None] = {}
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
        packed = self._output.reserve(kind.shape(k, n), np.uint8)
        place = self._output.reserve((n, kind.count(k)), np.dtype(dtype))
        scales = place.array
        zeros = np.empty((n, kind.count(k)), np.uint8)
        with np.errstate(invalid="ignore", over="ignore"):
            blocks.quantize(matrix, kind, packed.array, scales, zeros, self._workers, transposed=transposed)
        if not np.isfinite(scales).all():
            return None
        stem = f"{weight.name}_{kind.bits}bit"
        named = self._edit.refer(f"{stem}_scales", dtype, scales.shape, place.region)
        points = "" if kind.symmetric else self._zeros(stem, zeros, kind, k, n)
        return PackedBlocks(kind, k, n, packed.region, named, points, dtype)

    def compensated(
        self, weight: Weight, kind: Blocks, seen: Calibration | None, *, transposed: bool, dtype: str
    ) -> PackedBlocks | None:
        """The same by `feedback.rounded`, or `feedback.nearest` where `seen` is None; K must be made of whole blocks.
        The matrix is held as a whole."""
        matrix = Matrix(weight.region, weight.dtype, *weight.shape)
        read = matrix.read(Tile(0, matrix.rows, 0, matrix.cols), self._workers.buffers)
        values = read.T if transposed else read
        if not np.isfinite(values).all():
            self.odd.add(weight.name)
            return None
        found = _rounded(weight, values, kind, seen, dtype)
        k, n = values.shape
        packed = self._output.reserve(kind.shape(k, n), np.uint8)
        packed.array[...] = feedback.packed(found.integers, kind)
        scales = self._output.reserve((n, kind.count(k)), np.dtype(dtype))
        scales.array[...] = found.scales.T
        self.done.add(weight.name)
        stem = f"{weight.name}_{kind.bits}bit"
        named = self._edit.refer(f"{stem}_scales", dtype, scales.shape, scales.region)
        zeros = "" if kind.symmetric else self._zeros(stem, found.zeros.T, kind, k, n)
        return PackedBlocks(kind, k, n, packed.region, named, zeros, dtype)

    def selected(self, weight: Weight, rows: Array, stem: str) -> Weight:
        """Some rows of a table as a table of its own, float32, in the scratch file."""
        matrix = Matrix(weight.region, weight.dtype, *weight.shape)
        area = self._output.reserve((len(rows), matrix.cols), np.float32)
        for index, row in enumerate(rows):
            area.array[index] = matrix.read(Tile(row, row + 1, 0, matrix.cols), self._workers.buffers)[0]
        return Weight(f"{weight.name}_{stem}", "float32", area.shape, area.region)

    def _zeros(self, stem: str, zeros: Array, kind: Blocks, k: int, n: int) -> str:
        packed = self._output.reserve(kind.zeros_shape(k, n), np.uint8)
        blocks.pack_zeros(zeros, kind, packed.array)
        return self._edit.refer(f"{stem}_zeros", "uint8", packed.shape, packed.region)

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
        values = self._output.reserve((rows, matrix.cols), np.int8)
        integers.quantize(matrix, scale, zero, kind, values, self._workers)
        shape = weight.shape[:axes] + (1,) * (len(weight.shape) - axes)
        named = self._edit.refer(f"{weight.name}_8bit", "int8", weight.shape, values.region)
        return Rows(named, self._edit.put(f"{weight.name}_scales", scale.astype(dtype).reshape(shape)))

    def scaled(self, weight: Weight, form: Form) -> Scaled | None:
        """`weight` as bytes with one scale for all of it, a row or a column: what onnxruntime's quantizer makes of it.

        The scale and the zero point are scalars, or vectors along the axis. None: it holds what is no finite number.
        """
        key = (weight.region, weight.shape, form)
        if key not in self._scaled:
            self._scaled[key] = self._scale(weight, form)
        (self.odd if self._scaled[key] is None else self.done).add(weight.name)
        return self._scaled[key]

    def _scale(self, weight: Weight, form: Form) -> Scaled | None:
        rows = prod(weight.shape[: form.rows])
        matrix = Matrix(weight.region, weight.dtype, rows, prod(weight.shape[form.rows :]))
        params = self._parameters(matrix, form)
        if params is None:
            return None
        scale, zero = params
        shape = (matrix.cols, rows) if form.transposed else (rows, matrix.cols)
        values = self._output.reserve(shape, form.kind.dtype)
        out = values.array.T if form.transposed else values
        integers.quantize(matrix, scale, zero, form.kind, out, self._workers)
        dims = (*weight.shape[:-2], *weight.shape[:-3:-1]) if form.transposed else weight.shape
        along = (-1,) if form.axis is not None else ()
        return Scaled(
            self._edit.refer(f"{weight.name}_quantized", form.kind.name, dims, values.region),
            self._edit.put(f"{weight.name}_scale", scale.reshape(along)),
            self._edit.put(f"{weight.name}_zero_point", zero.reshape(along)),
        )

    def _parameters(self, matrix: Matrix, form: Form) -> tuple[Array, Array] | None:
        low, high = integers.ranges(matrix, form.axis, self._workers)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            return None
        return integers.scales(low, high, form.kind)

    def recurrent(self, weight: Weight, kind: Integers, *, per_row: bool) -> Scaled | None:
        """[directions, rows, columns] as [directions, columns, rows], as DynamicQuantizeLSTM takes it; one scale for
        each direction, or for each row of it."""
        directions, rows, cols = weight.shape
        values = self._output.reserve((directions, cols, rows), kind.dtype)
        found = []
        for index in range(directions):
            length = weight.region.length // directions
            part = Region(weight.region.path, weight.region.offset + index * length, length)
            matrix = Matrix(part, weight.dtype, rows, cols)
            params = self._parameters(matrix, Form(kind, 1, 0 if per_row else None))
            if params is None:
                self.odd.add(weight.name)
                return None
            integers.quantize(matrix, *params, kind, values.array[index].T, self._workers)
            found.append(params)
        self.done.add(weight.name)
        scale, zero = (np.stack([pair[i].reshape(-1) for pair in found]) for i in (0, 1))
        shape = (directions, rows) if per_row else (directions,)
        return Scaled(
            self._edit.refer(f"{weight.name}_quantized", kind.name, values.shape, values.region),
            self._edit.put(f"{weight.name}_scale", scale.reshape(shape)),
            self._edit.put(f"{weight.name}_zero_point", zero.reshape(shape)),
        )


def _rounded(weight: Weight, values: Array, kind: Blocks, seen: Calibration | None, dtype: str) -> Rounded:
    """Computed once for each calibration."""
    squares = seen.of(weight.name) if seen is not None else None
    if seen is None or squares is None:
        return feedback.nearest(values, kind, np.dtype(dtype))
    key = (weight.region, kind, values.shape, values.strides, dtype)
    if key not in seen.rounded:
        seen.rounded[key] = feedback.rounded(values, squares, kind, np.dtype(dtype))
    found: Rounded = seen.rounded[key]
    return found
