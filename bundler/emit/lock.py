"""Two builds that write one folder take turns.

Politeness, not safety: without it the result is still one complete build, since every file is whole before it gets
its name; the builds would only do their work twice. So where a filesystem has no locks, a lock file will do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Callable
from types import TracebackType

from ..catalogue import problem
from ..errors import OutputError
from .failure import output_error

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".mbundle.lock"
_POLL = 0.05
"""Seconds between two tries."""

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF}


class FolderLock:
    """Holds `folder` inside the `with` block.

    `waiting` is called once, with a sentence, when another build holds it. OutputError MB410 after `patience` seconds.
    """

    def __init__(
        self,
        folder: str,
        waiting: Callable[[str], None],
        patience: float = 600.0,
        *,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._alive = alive
        self._waiting = waiting
        self._patience = patience
        self._descriptor: int | None = None
        self._file = ""

    def __enter__(self) -> FolderLock:
        deadline = time.monotonic() + self._patience
        told = False
        while not self._taken():
            if time.monotonic() >= deadline:
                raise OutputError(problem("MB410", f"Gave up after {self._patience:.0f} seconds.", file=self._folder))
            if not told:
                self._waiting(f"Another build writes {self._folder}; waiting for it to finish.")
                told = True
            self._alive()
            time.sleep(_POLL)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._file:
            with contextlib.suppress(OSError):
                os.unlink(self._file)
            self._file = ""

    def _taken(self) -> bool:
        try:
            locked = lock_folder(self._folder)
        except NoLocks:
            return self._take_file()
        except FileNotFoundError:  # a build that failed has removed the folder that it had made
            os.makedirs(self._folder, exist_ok=True)
            return False
        except OSError as error:
            raise output_error(error, self._folder) from error
        if locked is None:
            return False
        self._descriptor = locked
        return True

    def _take_file(self) -> bool:
        path = os.path.join(self._folder, LOCK_FILE)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            _remove_if_stale(path)
            return False
        except OSError as error:
            raise output_error(error, path) from error
        self._file = path
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_signature(os.getpid()))
        return True


class NoLocks(Exception):
    """This filesystem, or this system, has no flock."""


def lock_folder(folder: str) -> int | None:
    """A descriptor that holds the lock until it is closed or its process dies; None: somebody else holds it.

    The lock is on the folder itself: no file to leave behind, none to ship by accident. Raises NoLocks.
    """
    if fcntl is None:
        raise NoLocks
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
            return descriptor
    except BlockingIOError:
        pass
    except FileNotFoundError:  # removed while we locked it; the caller tries again and gets the plain error
        pass
    except OSError as error:
        os.close(descriptor)
        if error.errno in _NO_LOCKS:
            raise NoLocks from error
        raise
    os.close(descriptor)
    return None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it exists and is somebody else's
        return True
    return True


def _signature(pid: int) -> str:
    return f"{pid} {_start_time(pid)} {socket.gethostname()}"


def _start_time(pid: int) -> str:
    """What tells a process from a later one with the same number; "-" where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "-"


def _remove_if_stale(path: str) -> None:
    """Two builds may both judge a lock stale and one remove the other's new lock: see the module's header."""
    with contextlib.suppress(OSError, ValueError):
        with open(path, encoding="utf-8", errors="replace") as file:
            signature = file.read(200)
        pid, _, rest = signature.partition(" ")
        here = rest.rpartition(" ")[2] == socket.gethostname()
        if here and not (is_alive(int(pid)) and signature == _signature(int(pid))):
            os.unlink(path)
