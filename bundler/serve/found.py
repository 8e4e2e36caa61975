"""What a request's path leads to, and the two kinds of places that are looked into."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

IMMUTABLE = "public, max-age=31536000, immutable"
"""For what has a hash in its name."""
REVALIDATE = "no-cache"
"""For what has none: kept, but asked for again each time."""


@dataclass(frozen=True, slots=True)
class File:
    """A regular file. `twins`: coding -> path of the compressed twin; `etag` is that of the file itself, unquoted."""

    path: str
    stat: os.stat_result
    etag: str
    cache: str
    twins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    """A small file that was read whole, so that its bytes are of one version."""

    content: bytes
    media_type: str
    cache: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """A folder that was asked for without its slash. `path`: percent-encoded, with the slash."""

    path: str


Found = File | Text | Moved | None


class Place(Protocol):
    def find(self, parts: tuple[str, ...]) -> Found: ...


def regular(path: str) -> os.stat_result | None:
    """Stat of a regular file that is no link."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None
