"""Files before they have a name: written to a folder of the transaction's own, on the output's filesystem.

The folder `.tmp-<pid>-<random>` is locked while its build lives. One whose lock is free (or, where there are no
locks, whose process is gone) was left by a killed build. If that one had begun to commit, `pending.json` in it says
what it was adding; the folder goes when the next build has dealt with that.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from . import ownership
from .failure import output_errors
from .folder import sync
from .lock import NoLocks, is_alive, lock_folder
from .ownership import Generation

PENDING = "pending.json"

_HOLD = 64 << 10
"""Bytes. Smaller writes are collected: a chunk may be a hundred biases of 3 KiB."""

_NAME = re.compile(r"\.tmp-(\d+)-[0-9a-f]{16}")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class StagedFile:
    """A file in the making; `finish` or `discard` ends it. Used by one thread.

    The mode is 0666 less the umask, as for any file a program makes: mkstemp's 0600 would give web servers a 403.
    """

    def __init__(self, path: str, accept: Callable[[str, str, int, str], bool]) -> None:
        self.path = path
        self._accept = accept
        self._nbytes = 0
        self._held = bytearray()
        with output_errors(path):
            self._descriptor = os.open(path, _FLAGS, 0o666)

    def write(self, block: bytes | memoryview) -> None:
        with output_errors(self.path):
            if len(block) < _HOLD:
                self._held += block
            if max(len(block), len(self._held)) >= _HOLD:
                self._flush()
            if len(block) >= _HOLD:
                self._put(memoryview(block))

    def finish(self, name: str, sha256: str) -> None:
        """Says what the content, which has this digest, shall be called. It is on the disk when this returns."""
        with output_errors(self.path):
            self._flush()
            os.fsync(self._descriptor)
            self._close()
        if not self._accept(name, sha256, self._nbytes, self.path):
            self.discard()

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self._close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _flush(self) -> None:
        held, self._held = self._held, bytearray()
        self._put(memoryview(held))

    def _put(self, view: memoryview) -> None:
        while view.nbytes:
            written = os.write(self._descriptor, view)
            self._nbytes += written
            view = view[written:]

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Staging:
    """The temporary folder of one transaction below `out_dir`."""

    def __init__(self, out_dir: str) -> None:
        self._path = os.path.join(out_dir, f".tmp-{os.getpid()}-{secrets.token_hex(8)}")
        self._numbers = itertools.count()
        self._descriptor = -1
        with output_errors(self._path):
            os.mkdir(self._path)
            with contextlib.suppress(NoLocks):
                locked = lock_folder(self._path)
                self._descriptor = -1 if locked is None else locked

    def open(self, accept: Callable[[str, str, int, str], bool]) -> StagedFile:
        return StagedFile(os.path.join(self._path, str(next(self._numbers))), accept)

    def write(self, data: bytes) -> str:
        """Path of a new file with `data`, on the disk."""
        file = self.open(lambda name, sha256, nbytes, path: True)
        try:
            file.write(data)
            file.finish("", "")
        except BaseException:
            file.discard()
            raise
        return file.path

    def announce(self, files: Generation) -> None:
        """Puts on the disk what the commit is about to add."""
        os.replace(self.write(ownership.dump([files])), os.path.join(self._path, PENDING))
        sync(self._path)
        sync(os.path.dirname(self._path))

    def close(self, *, keep_announcement: bool) -> None:
        if keep_announcement:
            empty(self._path)
        else:
            shutil.rmtree(self._path, ignore_errors=True)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True)
class Announced:
    """The temporary folder of another build. `files`: what it announced, {} if it had not begun to commit."""

    path: str
    files: Generation
    alive: bool


def others(out_dir: str, but: Staging | None = None) -> list[Announced]:
    """The temporary folders in `out_dir`, of other builds than `but`."""
    own = "" if but is None else os.path.basename(but._path)
    with output_errors(out_dir):
        names = sorted(os.listdir(out_dir))
    found = ((name, _NAME.fullmatch(name)) for name in names if name != own)
    return [_look(os.path.join(out_dir, name), int(match[1])) for name, match in found if match]


def is_tidy(out_dir: str) -> bool:
    """Whether no build, running or broken off, has anything left to do in `out_dir`."""
    try:
        return not any(map(_NAME.fullmatch, os.listdir(out_dir)))
    except OSError:
        return False


def empty(path: str) -> None:
    """Removes all but the announcement. Errors are left to whoever needs the space or the name."""
    with contextlib.suppress(OSError):
        for name in os.listdir(path):
            if name != PENDING:
                os.unlink(os.path.join(path, name))


def _look(path: str, pid: int) -> Announced:
    alive = os.path.islink(path) or not os.path.isdir(path) or not _dead(path, pid)
    try:
        announced = ownership.load(os.path.join(path, PENDING))
    except ownership.Damaged:
        announced = []
    return Announced(path, announced[0] if announced else {}, alive)


def _dead(path: str, pid: int) -> bool:
    try:
        lock = lock_folder(path)
    except NoLocks:
        return not is_alive(pid)
    except OSError:
        return False
    if lock is None:
        return False
    os.close(lock)
    return True
