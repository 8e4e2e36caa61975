"""Seeded inputs for a model nobody has told us anything about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import printable
from ...graph.model import Port
from .domains import Domain

Array = NDArray[Any]
Feeds = dict[str, Array]

FLOATS = {"float32": np.float32, "float16": np.float16, "float64": np.float64}
INTEGERS = {
    name: np.dtype(name).type for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
}


class CannotFeed(Exception):
    """No value can be made for an input; the message says why in half a sentence."""


def feeds(
    ports: tuple[Port, ...], shapes: Mapping[str, tuple[int, ...]], domains: Mapping[str, Domain], seed: int
) -> Feeds:
    """One sample. The same `seed` gives the same values wherever it is made."""
    random = np.random.Generator(np.random.PCG64(seed))
    return {port.name: _values(port, shapes[port.name], domains.get(port.name), random, seed) for port in ports}


def _values(port: Port, shape: tuple[int, ...], domain: Domain | None, random: np.random.Generator, seed: int) -> Array:
    if port.dtype in FLOATS:
        return _floats(shape, random, seed).astype(FLOATS[port.dtype])
    if port.dtype in INTEGERS:
        return _integers(shape, domain or Domain(), random, seed).astype(INTEGERS[port.dtype])
    if port.dtype == "bool":
        return np.ones(shape, np.bool_)
    raise CannotFeed(f'input "{port.name}" is of type {port.dtype}')


def _floats(shape: tuple[int, ...], random: np.random.Generator, seed: int) -> Array:
    """Pixels, then normalised features, then a waveform: a model may saturate on one of them."""
    if seed % 3 == 0:
        return random.uniform(0, 1, shape)
    if seed % 3 == 1:
        return random.standard_normal(shape)
    return random.uniform(-1, 1, shape)


def _integers(shape: tuple[int, ...], domain: Domain, random: np.random.Generator, seed: int) -> Array:
    """Ones where the graph says nothing: the masks and flags of language models must not hide everything."""
    if domain.limit is not None:
        return random.integers(0, domain.limit, shape)
    if domain.choices and not domain.count:
        most = max(0, *domain.choices)
        return random.integers(0, most + 1, shape) if shape else np.full(shape, most)
    return np.ones(shape, np.int64)


def first_line(error: BaseException) -> str:
    return printable(str(error).strip().partition("\n")[0] or type(error).__name__)
