"""The plan: which chunks there are, and where each lies in the logical weight files of each variant.

Pure: from keys and sizes of tensors to offsets. Invariants: the chunks of a logical file tile it exactly; every
distinct tensor of a variant has one place, aligned to 64 bytes, within one logical file; no chunk lies in two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..config.schema import ChunkSpec
from .cut import Chunk, Tensor, Unit, aligned, chunk_size, cut
from .label import Label, VariantId, groups

FILE_CAP = 1 << 30
"""Bytes of a logical file; one larger tensor alone may exceed it. Browsers refuse ArrayBuffers of 2 GiB and more."""


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    slices: Chunk
    label: Label
    nbytes: int


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """`path` is the name inside the graph file. `chunks`: (index into Plan.chunks, offset), ascending."""

    path: str
    nbytes: int
    chunks: tuple[tuple[int, int], ...]
    places: tuple[tuple[str, int, int], ...]
    """(key, offset, nbytes) of each tensor, ascending by offset."""


@dataclass(frozen=True, slots=True)
class Plan:
    chunks: tuple[PlannedChunk, ...]
    files: dict[VariantId, tuple[PlannedFile, ...]]

    def places(self, variant: VariantId) -> dict[str, tuple[str, int]]:
        """Key -> (logical file, offset)."""
        return {key: (file.path, offset) for file in self.files[variant] for key, offset, _ in file.places}


def plan(variants: Mapping[VariantId, Sequence[Tensor]], spec: ChunkSpec, file_cap: int = FILE_CAP) -> Plan:
    """`variants`: the tensors of each in declaration order; a key may occur more than once."""
    units = {label: cut(tensors, spec) for label, tensors in groups(variants).items()}
    chunks = tuple(
        PlannedChunk(c, label, chunk_size(c)) for label, cuts in units.items() for unit in cuts for c in unit
    )
    index = {chunk.slices: position for position, chunk in enumerate(chunks)}
    files = {
        variant: tuple(_files(_units_of(variant, variants[variant], units), index, file_cap)) for variant in variants
    }
    return Plan(chunks, files)


def _units_of(variant: VariantId, tensors: Sequence[Tensor], units: Mapping[Label, list[Unit]]) -> Iterator[Unit]:
    """The units of one variant, label by label, in the order in which this variant first needs each label."""
    order = {tensor.key: position for position, tensor in reversed(list(enumerate(tensors)))}

    def first_need(label: Label) -> int:
        return min(order[piece.key] for unit in units[label] for chunk in unit for piece in chunk)

    for label in sorted((label for label in units if variant in label), key=first_need):
        yield from units[label]


def _files(units: Iterator[Unit], index: Mapping[Chunk, int], file_cap: int) -> Iterator[PlannedFile]:
    held: list[Unit] = []
    size = 0
    number = 0
    for unit in units:
        nbytes = sum(map(chunk_size, unit))
        if held and size + nbytes > file_cap:
            yield _file(number, held, index)
            held, size, number = [], 0, number + 1
        held.append(unit)
        size += nbytes
    if held:
        yield _file(number, held, index)


def _file(number: int, units: Sequence[Unit], index: Mapping[Chunk, int]) -> PlannedFile:
    chunks: list[tuple[int, int]] = []
    places: dict[str, tuple[int, int]] = {}
    offset = 0
    for chunk in (chunk for unit in units for chunk in unit):
        chunks.append((index[chunk], offset))
        for piece in chunk:
            start, nbytes = places.get(piece.key, (offset, 0))
            places[piece.key] = (start, nbytes + piece.nbytes)
            offset += aligned(piece.nbytes)
    tensors = tuple((key, start, nbytes) for key, (start, nbytes) in places.items())
    return PlannedFile(f"weights-{number}", offset, tuple(chunks), tensors)
