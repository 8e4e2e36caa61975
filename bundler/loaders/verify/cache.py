"""A KV cache in the form that a model takes it, from floats and back: what `loaders.recoding` does, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ...graph.generation import is_cache
from ...graph.model import Port
from ..recoding import STEPS
from .feeds import Array, Feeds


def stored(feeds: Feeds, ports: Iterable[Port]) -> Feeds:
    """`feeds` with its caches as `ports` take them."""
    caches = [port for port in ports if is_cache(port.name) and port.name in feeds]
    return feeds | {port.name: _encoded(feeds[port.name], port.dtype) for port in caches}


def plain(names: Sequence[str], found: Sequence[Array], expected: Sequence[Array]) -> list[Array]:
    """`found` with its caches as they are in `expected`."""
    return [plain_one(name, a, lambda b=b: b) for name, a, b in zip(names, found, expected, strict=True)]  # type: ignore[misc]


def plain_one(name: str, found: Array, expected: Callable[[], Array]) -> Array:
    """`expected` is asked for a cache only."""
    return _decoded(found, expected()) if is_cache(name) else found


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
