"""Which builds are running: each holds a lock on a file of its own, whose mtime is when it began.

The lock dies with its process, so a killed build pins nothing. Locks only keep gc and clear from being rude to a
running build; nothing is wrong without them (a vanished entry is a miss), so filesystems without locks are fine.
"""

from __future__ import annotations

import contextlib
import os
import time
from types import TracebackType

from . import atomic

try:
    import fcntl
except ImportError:  # Windows: an open file cannot be deleted there, which says the same
    fcntl = None  # type: ignore[assignment]

STALE_AFTER = 24 * 3600.0
"""Seconds until a pin counts as dead on a filesystem that cannot tell us."""


class Pin:
    """Says that a build uses the cache, until `close`. Quietly does nothing where the folder takes no files."""

    def __init__(self, folder: str) -> None:
        self._path = atomic.unique(folder, ".pin")
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):
            self._descriptor = atomic.create(self._path)
            _lock(self._descriptor)

    def close(self) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> Pin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def earliest(folder: str) -> float | None:
    """When the longest-running build that uses the cache began (seconds since the epoch); None: there is none.

    Removes the pins of dead builds.
    """
    starts = [start for path in _pins(folder) if (start := _start(path)) is not None]
    return min(starts, default=None)


def _pins(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".pin")]
    except OSError:
        return []


def _start(path: str) -> float | None:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None  # gone since it was listed
    try:
        start = os.fstat(descriptor).st_mtime
        if not _dead(descriptor, start):
            return start
        with contextlib.suppress(OSError):
            os.unlink(path)
        return None
    finally:
        os.close(descriptor)


def _dead(descriptor: int, start: float) -> bool:
    """A pin is born unlocked for a moment; taking it for dead then costs its build a miss at worst."""
    try:
        return _lock(descriptor)
    except BlockingIOError:
        return False
    except OSError:
        return time.time() - start > STALE_AFTER


def _lock(descriptor: int) -> bool:
    """Takes the lock; BlockingIOError when another process holds it, OSError when there are no locks here."""
    if fcntl is None:
        raise OSError("no locks on this system")
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
