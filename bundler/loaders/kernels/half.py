"""float16, with what it cannot hold moved to the nearest it can: the numbers of onnxruntime's converter."""

from __future__ import annotations

from functools import partial

import numpy as np

from .tiles import Array, Buffers, Matrix, Tile, Workers, tiles

LARGEST = 65504.0
SMALLEST = np.float32(5.96e-08)
"""About the smallest float16 above zero: a weight that is not zero stays so."""


def convert(matrix: Matrix, out: Array, workers: Workers) -> None:
    """Writes the float16 values into `out`, [rows, cols]."""
    workers.run(partial(_convert, matrix, out, workers.buffers), tiles(matrix.rows, matrix.cols))


def _convert(matrix: Matrix, out: Array, buffers: Buffers, tile: Tile) -> None:
    values = matrix.read(tile, buffers)
    if max(values.max(), -values.min()) > LARGEST:
        np.clip(values, -LARGEST, LARGEST, out=values, where=np.isfinite(values))
    target = out[tile.place]
    np.copyto(target, values, casting="same_kind")
    vanished = (target.view(np.uint16) & 0x7FFF == 0) & (values != 0)
    if vanished.any():
        target[vanished] = np.copysign(SMALLEST, values[vanished])


def small(values: Array) -> Array:
    """The same for an array in memory: a constant of the graph."""
    near = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), values)
    vanishing = (near != 0) & (np.abs(near) < SMALLEST)
    return np.where(vanishing, np.copysign(SMALLEST, near), near).astype(np.float16)
