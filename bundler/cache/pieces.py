"""The content of a file as digests of pieces that tile it.

A build has digested the weights of a model already; to know the whole file it only has to digest what lies between
them, so even a 2.5 GiB source can be told from a touched one later, at the price of nothing now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import fingerprint
from .fingerprint import Fingerprint

if TYPE_CHECKING:
    from .memo import Memo

Piece = tuple[int, int, str]
"""Offset and length in bytes, sha256 in hex."""

AFFORDABLE = 16 << 20
"""Bytes that may be read for the sake of a later comparison: 10 ms."""


def of_file(path: str, found: Fingerprint, memo: Memo | None = None) -> tuple[Piece, ...]:
    """Pieces that tile the file, none when too much of it would have to be read. OSError when it cannot be."""
    spans = memo.spans(path) if memo else {}
    if whole := spans.get((0, found.size)):
        return ((0, found.size, whole),)
    tiles = tile(found.size, {} if found.size <= AFFORDABLE else spans)
    if sum(length for _, length, digest in tiles if not digest) > AFFORDABLE:
        return ()
    return tuple((at, length, digest or fingerprint.digest(path, at, length)) for at, length, digest in tiles)


def tile(size: int, spans: Mapping[tuple[int, int], str]) -> list[Piece]:
    """Known spans in order, undigested pieces ("") for the gaps. Spans that overlap an earlier one are left out."""
    tiles: list[Piece] = []
    end = 0
    for (offset, length), digest in sorted(spans.items()):
        if offset < end or offset + length > size or not length:
            continue
        if offset > end:
            tiles.append((end, offset - end, ""))
        tiles.append((offset, length, digest))
        end = offset + length
    if end < size or not tiles:
        tiles.append((end, size - end, ""))
    return tiles


def same(path: str, pieces: tuple[Piece, ...]) -> bool:
    """Whether the file's content is what the pieces say; the caller has compared the sizes."""
    try:
        return all(fingerprint.digest(path, at, length) == digest for at, length, digest in pieces)
    except OSError:
        return False
