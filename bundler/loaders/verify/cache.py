"""A KV cache in the form that a model takes it, from floats and back: what `loaders.recoding` does, in numpy, and what
GroupQueryAttention does where it keeps the cache in few bits (`loaders.grouped`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ...graph.generation import is_cache
from ...graph.model import Port
from ..recoding import STEPS
from .feeds import Array, Feeds
from .scales import Scales

_NONE: Scales = {}


def stored(feeds: Feeds, ports: Iterable[Port], scales: Scales = _NONE) -> Feeds:
    """`feeds` with its caches as `ports` take them. `scales`: of those that an operator keeps in few bits."""
    caches = [port for port in ports if is_cache(port.name) and port.name in feeds]
    return feeds | {port.name: _stored(feeds[port.name], port, scales.get(port.name)) for port in caches}


def plain(
    names: Sequence[str], found: Sequence[Array], expected: Sequence[Array], scales: Scales = _NONE
) -> list[Array]:
    """`found` with its caches as they are in `expected`."""
    pairs = zip(names, found, expected, strict=True)
    return [plain_one(name, a, lambda b=b: b, scales) for name, a, b in pairs]  # type: ignore[misc]


def plain_one(name: str, found: Array, expected: Callable[[], Array], scales: Scales = _NONE) -> Array:
    """`expected` is asked for a cache only."""
    if not is_cache(name):
        return found
    return _unpacked(found, scales[name], expected()) if name in scales else _decoded(found, expected())


def _stored(array: Array, port: Port, scale: Array | None) -> Array:
    if scale is None or array.dtype.kind != "f":
        return _encoded(array, port.dtype)
    values = np.rint(array.astype(np.float32) / scale)
    if port.dtype == "int8":
        return np.clip(values, -128, 127).astype(np.int8)
    halves = (np.clip(values, -8, 7) + 8).astype(np.uint8)  # the first of two in the lower half of a byte
    packed: Array = halves[..., ::2] | (halves[..., 1::2] << 4)
    return packed


def _unpacked(array: Array, scale: Array, like: Array) -> Array:
    if array.dtype == np.uint8:
        halves = np.stack([array & 15, array >> 4], axis=-1).reshape(*array.shape[:-1], -1)
        array = halves.astype(np.int8) - 8
    return (array * scale).astype(like.dtype) if array.dtype == np.int8 else array


def _encoded(array: Array, dtype: str) -> Array:
    if array.dtype.kind != "f" or array.dtype.name == dtype:
        return array
    if dtype != "int8":
        return array.astype(dtype)
    top = np.abs(array).max(axis=-1, keepdims=True, initial=0).astype(np.float32)
    power = np.clip(np.ceil(np.log2(np.maximum(top / 127, 2.0**-100)) * STEPS), -128, 127)
    values = np.clip(np.round(array / np.exp2(power / STEPS)), -127, 127)
    return np.concatenate([values, power], axis=-1).astype(np.int8)


def _decoded(array: Array, like: Array) -> Array:
    if array.dtype == like.dtype or like.dtype.kind != "f":
        return array
    if array.dtype == np.int8 and array.shape[-1] == like.shape[-1] + 1:
        values = array[..., :-1] * np.exp2(array[..., -1:].astype(np.float32) / STEPS)
        return values.astype(like.dtype)
    return array.astype(like.dtype)
