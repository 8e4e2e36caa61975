"""What tells cheaply that a file is still the same file: size, mtime, ctime and inode.

Invariant: a fingerprint speaks for the content only when it is not racy. A filesystem's clock may tick as slowly as
every 2 s (FAT; ext4: 4 ms), so an edit of the same size within one tick of the last one leaves all four numbers as
they were. A file younger than that when it was looked at is judged by its content.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from typing import NamedTuple

RACY_NS = 2_000_000_000
_BLOCK = 1 << 20


class Fingerprint(NamedTuple):
    """Bytes, nanoseconds, nanoseconds, inode number."""

    size: int
    mtime: int
    ctime: int
    inode: int

    def racy(self, seen: int) -> bool:
        """Whether the file could have changed after `seen` (ns since the epoch) without a trace in these numbers."""
        return max(self.mtime, self.ctime) > seen - RACY_NS


def of(path: str, *, follow: bool = True) -> Fingerprint | None:
    """None: there is no regular file at `path`."""
    try:
        found = os.stat(path, follow_symlinks=follow)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Fingerprint(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def now() -> int:
    return time.time_ns()


def digest(path: str, offset: int = 0, length: int | None = None) -> str:
    """sha256, hex, of `length` bytes at `offset` (None: to the end). OSError, also when the file is too short.

    Reads instead of mapping: a mapped file that somebody truncates kills the process with SIGBUS.
    """
    sha = hashlib.sha256()
    buffer = memoryview(bytearray(_BLOCK if length is None else max(1, min(_BLOCK, length))))
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        left = length
        while left is None or left > 0:
            count = file.readinto(buffer if left is None else buffer[: min(left, _BLOCK)])
            if not count:
                break
            sha.update(buffer[:count])
            left = None if left is None else left - count
    if left:
        raise OSError(f"{path} ends {left} bytes early")
    return sha.hexdigest()
