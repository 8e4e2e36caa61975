"""Reading weights, with an eye on who else writes to their files.

Read, not mapped: a mapped file that somebody truncates kills the process with SIGBUS, and bytes that change between
hashing and writing would give a chunk that its own name denies. Here what is hashed is the buffer that is written;
it is 1 MiB, stays in the CPU's cache, and costs no more than the copy that `write` makes anyway.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from threading import Lock

from ..catalogue import problem
from ..errors import InputError, Problem
from ..graph.model import Region

BLOCK = 1 << 20


class Sources:
    """The source files of one build. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: dict[str, tuple[int, ...]] = {}

    def blocks(self, region: Region) -> Iterator[memoryview]:
        """The bytes of `region` in order; each view is valid until the next one is asked for."""
        buffer = memoryview(bytearray(min(BLOCK, region.length)))
        try:
            with open(region.path, "rb", buffering=0) as file:
                self._same(region.path, os.fstat(file.fileno()))
                file.seek(region.offset)
                left = region.length
                while left:
                    count = file.readinto(buffer[: min(left, len(buffer))])
                    if not count:
                        raise InputError(_short(region))
                    yield buffer[:count]
                    left -= count
        except OSError as error:
            raise InputError(problem("MB412", f"Reading it failed: {error.strerror}.", file=region.path)) from error

    def digest(self, region: Region) -> str:
        sha = hashlib.sha256()
        for block in self.blocks(region):
            sha.update(block)
        return sha.hexdigest()

    def verify(self) -> None:
        """InputError if a file is no longer the one that was read first."""
        for path in sorted(self._seen):
            try:
                found = os.stat(path)
            except OSError as error:
                raise InputError(changed(path)) from error
            self._same(path, found)

    def _same(self, path: str, found: os.stat_result) -> None:
        mark = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        with self._lock:
            first = self._seen.setdefault(path, mark)
        if first != mark:
            raise InputError(changed(path))


def _short(region: Region) -> Problem:
    end = region.offset + region.length
    return problem("MB412", f"It ends before byte {end}, which a tensor needs.", file=region.path)


def changed(path: str) -> Problem:
    return problem("MB411", "The file changed while the build read it.", file=path)
