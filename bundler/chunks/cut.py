"""Where one chunk ends and the next begins: content-defined cuts over the tensors of one label.

Invariant: a cut depends on the tensors since the last cut only, so an edit moves the cuts near it and no others.

A tensor of at least `min_size` is a chunk of its own (above `max_size`: fixed parts from its own start, so that a
vocabulary that grows keeps all parts but the last). Regrouping can never touch it: not a neighbour that goes, not
an entry that begins to share its neighbours. The small tensors between are collected apart from the large ones, so
that two biases meet although a weight of 9 MiB stands between them, and are cut after a tensor whose digest says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..config.schema import ChunkSpec

ALIGNMENT = 64
"""Bytes. A tensor starts at a multiple of it, in its logical file and in its chunk: for SIMD loads and typed arrays."""

_DIGEST_SPACE = 1 << 64


@dataclass(frozen=True, slots=True)
class Tensor:
    """`key` stands for the bytes: equal keys, equal bytes. It is their sha256 (hex) if nbytes < min_size."""

    key: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class Slice:
    """`nbytes` of tensor `key` from its byte `start` on."""

    key: str
    start: int
    nbytes: int


Chunk = tuple[Slice, ...]
Unit = tuple[Chunk, ...]
"""Chunks that may not be torn apart between two logical files: the parts of one tensor, or one group of small ones."""


def aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def chunk_size(chunk: Chunk) -> int:
    """Bytes on disk and in the logical file: every tensor is padded to the alignment."""
    return sum(aligned(piece.nbytes) for piece in chunk)


class Cutter:
    """The state machine behind the groups of small tensors: ask `before`, then `after`, for each in turn.

    After `min_size` bytes a tensor of n bytes ends the chunk with a chance of n / min_size, by its digest. The chance
    is in bytes, so that a thousand biases are not cut as often as a thousand matrices: groups average 2 x min_size.
    """

    def __init__(self, spec: ChunkSpec) -> None:
        self._spec = spec
        self._held = 0

    def before(self, nbytes: int) -> bool:
        """Whether the chunk must end before this tensor, which would make it larger than `max_size`."""
        full = self._held > 0 and self._held + aligned(nbytes) > self._spec.max_size
        if full:
            self._held = 0
        return full

    def after(self, nbytes: int, digest: str) -> bool:
        """Takes the tensor in; whether the chunk ends with it."""
        self._held += aligned(nbytes)
        ends = self._held >= self._spec.min_size and _hit(digest, nbytes, self._spec.min_size)
        if ends:
            self._held = 0
        return ends


def cut(tensors: Iterable[Tensor], spec: ChunkSpec) -> list[Unit]:
    """The tensors (no key twice) in units: groups of small ones first, then the large ones, each in given order."""
    small: list[Tensor] = []
    large: list[Unit] = []
    for tensor in tensors:
        if is_small(tensor.nbytes, spec):
            small.append(tensor)
        else:
            large.append(tuple((part,) for part in parts(tensor, spec)))
    return [(group,) for group in _groups(small, spec)] + large


def is_small(nbytes: int, spec: ChunkSpec) -> bool:
    """Whether a tensor shares a chunk with others; only then do cuts depend on its digest."""
    return nbytes < min(spec.min_size, spec.max_size)


def parts(tensor: Tensor, spec: ChunkSpec) -> Iterator[Slice]:
    """The tensor in parts of `max_size` (rounded down to the alignment) from its own start; the last may be short."""
    step = max(ALIGNMENT, spec.max_size // ALIGNMENT * ALIGNMENT)
    for start in range(0, tensor.nbytes, step):
        yield Slice(tensor.key, start, min(step, tensor.nbytes - start))


def _groups(tensors: Iterable[Tensor], spec: ChunkSpec) -> Iterator[Chunk]:
    cutter = Cutter(spec)
    group: list[Slice] = []
    for tensor in tensors:
        if cutter.before(tensor.nbytes):
            yield tuple(group)
            group = []
        group.append(Slice(tensor.key, 0, tensor.nbytes))
        if cutter.after(tensor.nbytes, tensor.key):
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)


def _hit(digest: str, nbytes: int, per: int) -> bool:
    # The last 64 bits: the first ones name files, and a name should tell nothing about its neighbours.
    return int(digest[-16:], 16) * per < nbytes * _DIGEST_SPACE
