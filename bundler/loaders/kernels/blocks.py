"""Blocks of 4- or 8-bit integers along K, each with a scale: bit for bit what onnxruntime packs for MatMulNBits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .tiles import Array, Buffers, Matrix, Tile, Workers, tiles

_TALL = 1 << 20
"""Elements of a tile whose blocks run down: a column's blocks are neighbours in the result, and several together fill a
cache line of it."""
_HALF = np.float32(0.49999997)
"""The largest float below one half: adding it and cutting off rounds halves up and nothing else, as roundf does."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """`size`: elements of a block, a power of two of at least 16. Asymmetric blocks have a zero point of their own."""

    bits: int
    size: int
    symmetric: bool

    def count(self, k: int) -> int:
        return -(-k // self.size)

    def shape(self, k: int, n: int) -> tuple[int, int, int]:
        """Of the packed integers, uint8."""
        return n, self.count(k), self.size * self.bits // 8

    def zeros_shape(self, k: int, n: int) -> tuple[int, int]:
        """Of the packed zero points, uint8."""
        return n, -(-self.count(k) * self.bits // 8)

    @property
    def most(self) -> int:
        return int((1 << self.bits) - 1)

    @property
    def middle(self) -> int:
        return 1 << (self.bits - 1)


def quantize(
    matrix: Matrix, kind: Blocks, packed: Array, scales: Array, zeros: Array, workers: Workers, *, transposed: bool
) -> None:
    """Fills `packed` [N, blocks, bytes], `scales` [N, blocks] and `zeros` [N, blocks] (uint8, not packed yet).

    The matrix is [K, N], or [N, K] when `transposed`. A last block that K does not fill is completed by zeros.
    """
    if transposed:
        cut = tiles(matrix.rows, matrix.cols, width=kind.size)
    else:
        cut = tiles(matrix.rows, matrix.cols, step=kind.size, size=_TALL)
    done = _Target(kind, packed, scales, zeros)
    workers.run(partial(_tile, matrix, done, workers.buffers, transposed), cut)


@dataclass(frozen=True, slots=True)
class _Target:
    kind: Blocks
    packed: Array
    scales: Array
    zeros: Array


def _tile(matrix: Matrix, target: _Target, buffers: Buffers, transposed: bool, tile: Tile) -> None:
    """Arrays here have the axes [block, element, column], or [column, block, element] when transposed."""
    size = target.kind.size
    values = _padded(matrix.read(tile, buffers), size, 1 if transposed else 0, buffers)
    if transposed:
        rows, cols = values.shape
        blocks, axis, order = values.reshape(rows, cols // size, size), 2, (0, 1, 2)
        place = slice(tile.top, tile.bottom), slice(tile.left // size, -(-tile.right // size))
    else:
        rows, cols = values.shape
        blocks, axis, order = values.reshape(rows // size, size, cols), 1, (2, 0, 1)
        place = slice(tile.left, tile.right), slice(tile.top // size, -(-tile.bottom // size))
    low, high = blocks.min(axis), blocks.max(axis)
    scale, zero = _parameters(low, high, target.kind, target.scales.dtype)
    _round(blocks, np.expand_dims(scale, axis), np.expand_dims(zero, axis), target.kind)
    target.scales[place] = scale if transposed else scale.T
    target.zeros[place] = zero if transposed else zero.T
    missing = -(tile.right if transposed else tile.bottom) % size
    target.packed[place] = _packed(blocks, axis, missing, target.kind, buffers).transpose(order)


def _padded(values: Array, size: int, axis: int, buffers: Buffers) -> Array:
    missing = -values.shape[axis] % size
    if not missing:
        return values
    shape = list(values.shape)
    shape[axis] += missing
    padded = buffers.get("padded", tuple(shape))
    padded[...] = 0
    padded[: values.shape[0], : values.shape[1]] = values
    return padded


def _parameters(low: Array, high: Array, kind: Blocks, stored: Any) -> tuple[Array, Array]:
    """Scale (rounded to the type that it is stored in) and zero point of each block, both float32."""
    if kind.symmetric:
        far = np.where(np.abs(high) > np.abs(low), high, low)
        scale = far / np.float32(-kind.middle)
        return scale.astype(stored).astype(np.float32), np.full(far.shape, kind.middle, np.float32)
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    scale = (high - low) / np.float32(kind.most)
    zero = np.divide(-low, scale, out=np.zeros_like(low), where=scale != 0)
    return scale.astype(stored).astype(np.float32), np.floor(np.clip(zero, 0, kind.most) + _HALF)


def _round(blocks: Array, scale: Array, zero: Array, kind: Blocks) -> None:
    """In place: blocks / scale + zero, with the inverse of the scale in float32, not yet cut off."""
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
    np.multiply(blocks, inverse, out=blocks)
    np.add(blocks, zero, out=blocks)
    np.add(blocks, _HALF, out=blocks)
    np.clip(blocks, 0, kind.most, out=blocks)


def _packed(blocks: Array, axis: int, missing: int, kind: Blocks, buffers: Buffers) -> Array:
    """`missing`: elements of the last block that the matrix does not have; they are stored as 0. (onnxruntime does so
    too, but for one that shares its byte with an element: where K is odd it leaves what it finds in memory.)"""
    integers = buffers.get("integers", blocks.shape, np.uint8)
    np.copyto(integers, blocks, casting="unsafe")
    if missing:
        (integers[:, -1, -missing:] if axis == 2 else integers[-1, -missing:])[...] = 0
    if kind.bits == 8:
        return integers
    first, second = ((slice(None),) * axis + (slice(start, None, 2),) for start in (0, 1))
    packed = buffers.get("packed", tuple(n // 2 if i == axis else n for i, n in enumerate(blocks.shape)), np.uint8)
    np.left_shift(integers[second], 4, out=packed)
    np.bitwise_or(packed, integers[first], out=packed)
    return packed


def pack_zeros(zeros: Array, kind: Blocks, out: Array) -> None:
    """`zeros` [N, blocks] into `out` of `kind.zeros_shape`."""
    if kind.bits == 8:
        out[...] = zeros
        return
    odd = zeros.shape[1] % 2
    out[...] = zeros[:, 0::2]
    out[:, : out.shape[1] - odd] |= zeros[:, 1::2] << 4
    if odd:
        out[:, -1] |= kind.middle << 4
