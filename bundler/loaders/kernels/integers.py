"""8-bit integers with one scale a tensor, row or column: the numbers that onnxruntime's quantizer gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from .output import Area, store
from .tiles import Array, Buffers, Matrix, Tile, Workers, tiles

Axis = Literal[0, 1] | None
"""What shares a scale: None all, 0 each row, 1 each column."""


@dataclass(frozen=True, slots=True)
class Integers:
    """`signed` is symmetric around 0, unsigned is not: as onnxruntime pairs them. `reduced`: 7 bits."""

    signed: bool
    reduced: bool = False

    @property
    def dtype(self) -> Any:
        return np.int8 if self.signed else np.uint8

    @property
    def name(self) -> str:
        """ONNX's name of the type."""
        return "int8" if self.signed else "uint8"

    @property
    def limits(self) -> tuple[int, int]:
        """Least and largest integer that scales are computed for."""
        if self.signed:
            return (-64, 64) if self.reduced else (-127, 127)
        return (0, 127) if self.reduced else (0, 255)


def ranges(matrix: Matrix, axis: Axis, workers: Workers) -> tuple[Array, Array]:
    """Least and largest values, float32, of the shape that broadcasts over the matrix; NaN where one is inside."""
    shape = {None: (1, 1), 0: (matrix.rows, 1), 1: (1, matrix.cols)}[axis]
    found = workers.run(partial(_range, matrix, axis, workers.buffers), tiles(matrix.rows, matrix.cols))
    low, high = np.full(shape, np.inf, np.float32), np.full(shape, -np.inf, np.float32)
    for tile, least, most in found:
        place = (tile.place[0] if axis == 0 else slice(None), tile.place[1] if axis == 1 else slice(None))
        low[place] = np.minimum(low[place], least)
        high[place] = np.maximum(high[place], most)
    return low, high


def _range(matrix: Matrix, axis: Axis, buffers: Buffers, tile: Tile) -> tuple[Tile, Array, Array]:
    values = matrix.read(tile, buffers)
    over = None if axis is None else 1 - axis
    return tile, values.min(over, keepdims=True), values.max(over, keepdims=True)


def scales(low: Array, high: Array, kind: Integers) -> tuple[Array, Array]:
    """(scale float32, zero point) for values in [low, high]. A range next to nothing has the scale 1."""
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    if kind.signed:
        high = np.maximum(-low, high)
        low = -high
    least, most = kind.limits
    exact = (high.astype(np.float64) - low.astype(np.float64)) / (most - least)
    tiny = exact < np.finfo(np.float32).tiny
    exact[tiny] = 1
    zero = np.zeros(exact.shape, kind.dtype)
    if not kind.signed:
        zero = np.where(tiny, 0, np.round(least - low / exact)).astype(kind.dtype)
    return exact.astype(np.float32), zero


def quantize(matrix: Matrix, scale: Array, zero: Array, kind: Integers, out: Area | Array, workers: Workers) -> None:
    """Writes the integers into an area of the matrix's shape, or into an array [rows, cols]."""
    work = partial(_quantize, matrix, scale, zero.astype(np.float32), kind, out, workers.buffers)
    workers.run(work, tiles(matrix.rows, matrix.cols))


def _quantize(
    matrix: Matrix, scale: Array, zero: Array, kind: Integers, out: Area | Array, buffers: Buffers, tile: Tile
) -> None:
    values = matrix.read(tile, buffers)
    np.divide(values, _part(scale, tile), out=values)
    np.rint(values, out=values)
    if not kind.signed:
        np.add(values, _part(zero, tile), out=values)
    bounds = np.iinfo(kind.dtype)
    np.clip(values, bounds.min, bounds.max, out=values)
    store(out, tile, values, buffers)


def _part(values: Array, tile: Tile) -> Array:
    rows, cols = tile.place
    return values[rows if values.shape[0] > 1 else slice(None), cols if values.shape[1] > 1 else slice(None)]
