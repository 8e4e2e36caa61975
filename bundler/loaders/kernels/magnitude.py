"""The smallest of a weight's values made zero. Works on the bits: those of a magnitude are ordered like the number,
whatever the type, and what is kept is kept bit for bit. Infinity and NaN are largest."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .output import Area, store
from .tiles import FLOATS, Array, Buffers, Matrix, Tile, Workers, tiles

_COARSE = 16
"""Bits that the first count tells apart; a float32 has 15 more, which the second one does."""


def bits_of(dtype: str) -> Any:
    """The unsigned integer as wide as a key of FLOATS."""
    return np.uint32 if FLOATS[dtype] is np.float32 else np.uint16


def threshold(matrix: Matrix, share: float, workers: Workers) -> int:
    """Magnitudes, as integers, below this are nearest to `share` of all values. Zero: too many are alike."""
    wanted = share * matrix.rows * matrix.cols
    fine = 31 - _COARSE if bits_of(matrix.dtype) is np.uint32 else 0
    low, below = _reached(_counts(matrix, workers, fine, 0, 1 << _COARSE), wanted)
    if not fine:
        return low
    part, _ = _reached(_counts(matrix, workers, 0, low << fine, 1 << fine), wanted - below)
    return (low << fine) + part


def _reached(counts: Array, wanted: float) -> tuple[int, int]:
    """The last index that so few values lie before that they are no more than `wanted`, and how many those are."""
    before = np.concatenate([[0], np.cumsum(counts)])
    index = int(np.searchsorted(before, wanted, side="right")) - 1
    return min(index, len(counts) - 1), int(before[min(index, len(counts) - 1)])


def _counts(matrix: Matrix, workers: Workers, shift: int, start: int, bins: int) -> Array:
    """How many magnitudes lie in each of `bins` ranges of 2 ** `shift` from `start` on."""
    work = partial(_count, matrix, shift, start, bins, workers.buffers)
    total = np.zeros(bins, np.int64)
    for found in workers.run(work, tiles(matrix.rows, matrix.cols)):
        total += found
    return total


def _count(matrix: Matrix, shift: int, start: int, bins: int, buffers: Buffers, tile: Tile) -> Array:
    magnitudes = _magnitudes(matrix, tile, buffers)[1].ravel()
    places = (magnitudes.astype(np.int64) - start) >> shift
    return np.bincount(places[(places >= 0) & (places < bins)], minlength=bins)


def prune(matrix: Matrix, limit: int, out: Area, workers: Workers) -> int:
    """Writes the weight, zeros for magnitudes below `limit`, into an area of its shape; returns how many are zero."""
    return sum(workers.run(partial(_prune, matrix, limit, out, workers.buffers), tiles(matrix.rows, matrix.cols)))


def _prune(matrix: Matrix, limit: int, out: Area, buffers: Buffers, tile: Tile) -> int:
    values, magnitudes = _magnitudes(matrix, tile, buffers)
    values[magnitudes < limit] = 0
    store(out, tile, values, buffers)
    return int(values.size - np.count_nonzero(values))


def _magnitudes(matrix: Matrix, tile: Tile, buffers: Buffers) -> tuple[Array, Array]:
    kind = bits_of(matrix.dtype)
    values = matrix.raw(tile, buffers, "bits", kind)
    magnitudes = buffers.get("magnitudes", tile.shape, kind)
    np.bitwise_and(values, np.iinfo(kind).max >> 1, out=magnitudes)
    return values, magnitudes
