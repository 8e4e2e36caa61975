"""What the chunk writer wants to remember from one build to the next; `cache.memo.Memo` does.

Forgetting is always safe: it costs a read. Whether a source stayed the same while it was read is the memo's business
before it keeps anything, and `Sources.verify`'s before anything is emitted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..graph.model import Region


class Memo(Protocol):
    """Digests are sha256, hex. Safe for threads."""

    def lookup(self, region: Region) -> str | None:
        """Digest of the region, if it is known without reading it."""
        ...

    def learn(self, region: Region, digest: str) -> None:
        """Takes a digest that the caller computed. It has called `lookup` on the region before it read it."""
        ...

    def chunk(self, recipe: Iterable[str]) -> tuple[str, int] | None:
        """(digest, bytes) of the chunk made of blobs with these digests, each padded with zeros to 64 bytes."""
        ...

    def learn_chunk(self, recipe: Iterable[str], digest: str, size: int, paths: Iterable[str] = ()) -> None:
        """`paths`: the files that the bytes came from."""
        ...


class BuildMemo:
    """Remembers within one build only. Safe for threads: every access is one dict operation."""

    def __init__(self) -> None:
        self._regions: dict[Region, str] = {}
        self._chunks: dict[tuple[str, ...], tuple[str, int]] = {}

    def lookup(self, region: Region) -> str | None:
        return self._regions.get(region)

    def learn(self, region: Region, digest: str) -> None:
        self._regions[region] = digest

    def chunk(self, recipe: Iterable[str]) -> tuple[str, int] | None:
        return self._chunks.get(tuple(recipe))

    def learn_chunk(self, recipe: Iterable[str], digest: str, size: int, paths: Iterable[str] = ()) -> None:
        self._chunks[tuple(recipe)] = (digest, size)
