"""Rounding that makes up for itself: what one row of a weight loses is taken off the rows that are rounded after it.

GPTQ (Frantar et al., https://arxiv.org/abs/2210.17323), with the rows that matter most first, and then each number once
more with all others in view. Which rows can make up for which is told by the second moments of the product's inputs on
real samples: inputs that go up and down together stand in for each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .blocks import Blocks
from .tiles import Array

_DAMP = 0.01
"""Of the mean square of an input, added to each: samples that are few would otherwise be learnt by heart."""
_SHRINK = np.linspace(0.6, 1.0, 9, dtype=np.float32)
"""Scales that are tried for a block: cutting off its largest value may leave less error in the others."""
_SWEEPS = 2
"""Of rounding again: the second finds little, a third nothing. MiniLM in 4 bits gains 0.004 of top-10 overlap."""
_COLUMNS = 4096
"""Of a matrix that are in memory at a time, where columns do not depend on each other."""
_RUN = 128
"""Rows whose corrections are gathered before they are applied to all rows behind: one product instead of many."""


@dataclass(frozen=True, slots=True)
class Rounded:
    """`integers` [K, N], `scales` and `zeros` [K / block, N]."""

    integers: Array
    scales: Array
    zeros: Array


def rounded(values: Array, squares: Array, kind: Blocks, stored: object) -> Rounded:
    """`values` [K, N] float32, K made of whole blocks; `squares` [K, K]: mean of the products of two inputs."""
    scales, zeros = _parameters(values, kind, stored)
    order = np.argsort(-np.diag(squares), kind="stable")
    damped = _damped(squares)
    upper: Array = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left = values[order].astype(np.float64)
    blocks = order // kind.size
    integers = np.empty(values.shape, np.uint8)
    for start in range(0, len(order), _RUN):
        stop = min(start + _RUN, len(order))
        errors = np.zeros((stop - start, values.shape[1]))
        for row in range(start, stop):
            scale, zero = scales[blocks[row]], zeros[blocks[row]]
            integers[order[row]] = whole = _integers(left[row], scale, zero, kind)
            error = (left[row] - (whole - zero) * scale) / upper[row, row]
            left[row + 1 : stop] -= np.outer(upper[row, row + 1 : stop], error)
            errors[row - start] = error
        left[stop:] -= upper[start:stop, stop:].T @ errors
    found = Rounded(integers, scales, zeros.astype(np.uint8))
    for _ in range(_SWEEPS):
        _swept(found, values, damped, order, kind)
    return found


def nearest(values: Array, kind: Blocks, stored: object) -> Rounded:
    """The same without inputs in view: each number to the nearest, with the best scales of those tried."""
    parts = []
    for start in range(0, values.shape[1], _COLUMNS):
        part = values[:, start : start + _COLUMNS].astype(np.float32)
        scales, zeros = _parameters(part, kind, stored)
        blocks = part.reshape(-1, kind.size, part.shape[1])
        whole = _integers(blocks, scales[:, None], zeros[:, None], kind).reshape(part.shape)
        parts.append((whole.astype(np.uint8), scales, zeros.astype(np.uint8)))
    return Rounded(*(np.concatenate(each, axis=1) for each in zip(*parts, strict=True)))


def _damped(squares: Array) -> Array:
    damped = squares.astype(np.float64)
    places = np.diag_indices(len(damped))
    damped[places] += max(_DAMP * float(np.mean(damped[places])), 1e-12)
    return damped


def _swept(found: Rounded, values: Array, damped: Array, order: Array, kind: Blocks) -> None:
    """Coordinate descent, in place: each row takes the integers that are best while all others stay.

    `slope` is [K, N], what a change of each number would change: the second moments times what is lost.
    """
    blocks = np.arange(len(values)) // kind.size
    scales, zeros = found.scales[blocks].astype(np.float64), found.zeros[blocks].astype(np.float64)
    slope = damped @ (values - (found.integers - zeros) * scales)
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
    for start in range(0, len(order), _RUN):
        rows = order[start : start + _RUN]
        inside, own, changes = damped[np.ix_(rows, rows)], slope[rows], np.zeros((len(rows), values.shape[1]))
        for index, row in enumerate(rows):
            better = found.integers[row] + own[index] / inside[index, index] * inverse[row]
            whole = np.clip(np.rint(better), 0, kind.most)
            changes[index] = (found.integers[row] - whole) * scales[row]
            found.integers[row] = whole
            own += np.outer(inside[:, index], changes[index])
        slope += damped[:, rows] @ changes


def _integers(values: Array, scale: Array, zero: Array, kind: Blocks) -> Array:
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
    found: Array = np.clip(np.rint(values * inverse + zero), 0, kind.most)
    return found


def _parameters(values: Array, kind: Blocks, stored: object) -> tuple[Array, Array]:
    """For each block the scale and zero point, of those tried, that leave the least error in it."""
    blocks = values.reshape(-1, kind.size, values.shape[1])
    low, high = np.minimum(blocks.min(1), 0), np.maximum(blocks.max(1), 0)
    best = least = None
    for shrink in _SHRINK:
        scale, zero = _of_range(low * shrink, high * shrink, kind, stored)
        whole = _integers(blocks, scale[:, None], zero[:, None], kind)
        error = np.square((whole - zero[:, None]) * scale[:, None] - blocks).sum(1)
        if best is None or least is None:
            best, least = (scale, zero), error
            continue
        better = error < least
        best = np.where(better, scale, best[0]), np.where(better, zero, best[1])
        least = np.minimum(error, least)
    assert best is not None
    return best[0], best[1]


def _of_range(low: Array, high: Array, kind: Blocks, stored: object) -> tuple[Array, Array]:
    """As they will be stored: the scale is rounded to its type before anything is divided by it."""
    if kind.symmetric:
        scale = np.maximum(-low, high) / (kind.middle - 1)
        zero = np.full(low.shape, kind.middle, np.float32)
    else:
        scale = (high - low) / kind.most
        zero = np.rint(np.divide(-low, scale, out=np.zeros_like(low), where=scale != 0))
    return scale.astype(stored).astype(np.float32), np.clip(zero, 0, kind.most)  # type: ignore[call-overload]


def packed(integers: Array, kind: Blocks) -> Array:
    """[K, N] -> [N, blocks, bytes], as `blocks.quantize` packs."""
    count, columns = len(integers) // kind.size, integers.shape[1]
    turned = integers.T.reshape(columns, count, kind.size)
    if kind.bits == 8:
        return turned
    result: Array = turned[:, :, 0::2] | turned[:, :, 1::2] << 4
    return result
