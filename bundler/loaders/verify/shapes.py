"""Sizes for symbolic dimensions, tried one after the other until the source accepts them.

Nothing in a file says that an OCR detector wants multiples of 32 or a voice detector 512 samples, so sizes that
models are built around are tried in turn; a symbol has one size everywhere, and "past + 1" is computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from ...graph.model import Port

SIZES = (16, 64, 48, 32, 512, 224, 256, 128, 8, 160, 320, 1024, 1600, 4096, 16000)
MOST_ELEMENTS = 1 << 22
"""Of one input: a size that suits one dimension is absurd for another."""
MOST_FREE = 5
"""Symbols that deviate on their own; more would need 2^n attempts a size."""

Sizes = Mapping[str, int]


def attempts(ports: Sequence[Port]) -> Iterator[Sizes]:
    """Assignments of a size to each free dimension, the most likely first."""
    free = _free(ports)
    flips = product((False, True), repeat=min(len(free), MOST_FREE))
    for flip in sorted(flips, key=sum):
        for size in SIZES if free else (1,):
            sizes = _sizes(free, dict(zip(free, flip, strict=False)), size)
            if all(math.prod(shape(port, sizes)) <= MOST_ELEMENTS for port in ports):
                yield sizes


def _sizes(free: Mapping[str, bool], flipped: Mapping[str, bool], size: int) -> Sizes:
    """Batch-like dimensions are 1 and the others `size`, those that are flipped the other way round."""
    return {name: 1 if batch != flipped.get(name, False) else size for name, batch in free.items()}


def other_batch(ports: Sequence[Port], sizes: Sizes) -> Sizes:
    """The same with two of everything that looks like a batch: finds a size that a step has baked in."""
    batches = {name for name, batch in _free(ports).items() if batch}
    return {name: 2 if name in batches and size == 1 else size for name, size in sizes.items()}


def shape(port: Port, sizes: Sizes) -> tuple[int, ...]:
    """The shape of `port` when its free dimensions have `sizes`."""
    dims = port.shape or ()
    return tuple(sum(_terms(port, axis, dim, sizes)) for axis, dim in enumerate(dims))


def _free(ports: Sequence[Port]) -> dict[str, bool]:
    """Each free dimension, and whether it looks like a batch: first everywhere, or called so."""
    found: dict[str, bool] = {}
    for port in ports:
        for axis, dim in enumerate(port.shape or ()):
            for name in _symbols(port, axis, dim):
                found[name] = found.get(name, True) and (axis == 0 or "batch" in name.lower())
    return found


def _symbols(port: Port, axis: int, dim: int | str | None) -> list[str]:
    return [part for part in _parts(port, axis, dim) if not part.isdigit()]


def _terms(port: Port, axis: int, dim: int | str | None, sizes: Sizes) -> Iterator[int]:
    for part in _parts(port, axis, dim):
        yield int(part) if part.isdigit() else sizes[part]


def _parts(port: Port, axis: int, dim: int | str | None) -> list[str]:
    """ "past_sequence_length + 1" is a sum; an unnamed dimension (also -1, "?") has its own name."""
    if isinstance(dim, int) and dim >= 0:
        return [str(dim)]
    if not isinstance(dim, str) or dim in ("", "?"):
        return [f"{port.name}:{axis}"]
    parts = [part.strip() for part in dim.split("+")]
    return parts if all(parts) else [dim]
