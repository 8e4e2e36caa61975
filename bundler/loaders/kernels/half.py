"""float16, with what it cannot hold moved to the nearest it can: the numbers of onnxruntime's converter."""

from __future__ import annotations

from functools import partial

import numpy as np

from .output import Area, store
from .tiles import Array, Buffers, Matrix, Tile, Workers, tiles

LARGEST = 65504.0
SMALLEST = np.float32(5.96e-08)
"""About the smallest float16 above zero: a weight that is not zero stays so."""


def convert(matrix: Matrix, out: Area, workers: Workers) -> bool:
    """Writes the float16 values into an area of the matrix's shape; False: some finite value is beyond float16."""
    done = workers.run(partial(_convert, matrix, out, workers.buffers), tiles(matrix.rows, matrix.cols))
    return all(done)


def _convert(matrix: Matrix, out: Area, buffers: Buffers, tile: Tile) -> bool:
    values = matrix.read(tile, buffers)
    if not _fits(values):
        return False
    halves = buffers.get("halves", values.shape, np.float16)
    np.copyto(halves, values, casting="same_kind")
    bits = halves.view(np.uint16)
    if (bits << 1).min(initial=1) == 0:  # a zero, of either sign
        vanished = (bits & 0x7FFF == 0) & (values != 0)
        halves[vanished] = np.copysign(SMALLEST, values[vanished])
    store(out, tile, halves, buffers)
    return True


def _fits(values: Array) -> bool:
    low, high = values.min(), values.max()
    if low >= -LARGEST and high <= LARGEST:
        return True
    finite = values[np.isfinite(values)]
    return not (np.abs(finite) > LARGEST).any()


def small(values: Array) -> Array:
    """The same for an array in memory: a constant of the graph."""
    near = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), values)
    vanishing = (near != 0) & (np.abs(near) < SMALLEST)
    return np.where(vanishing, np.copysign(SMALLEST, near), near).astype(np.float16)
