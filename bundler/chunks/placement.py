"""What the chunk writer tells the graph writer and the manifest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """`nbytes` of the file `file` (a name in assets/) are the bytes of a logical file from `offset` on."""

    file: str
    offset: int
    nbytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """A logical external-data file. `chunks` tile it. `tensors`: (offset, nbytes), ascending, no overlap."""

    path: str
    nbytes: int
    chunks: tuple[ChunkRef, ...]
    tensors: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """`places[i]`: (logical file, offset) of the model's weight i; None: it stays inside the graph file."""

    data: tuple[DataFile, ...]
    places: tuple[tuple[str, int] | None, ...]
