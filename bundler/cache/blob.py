"""One blob: written once under a temporary name while it is hashed, read only after it was verified."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from io import FileIO
from typing import TYPE_CHECKING, BinaryIO

from . import atomic

if TYPE_CHECKING:
    from .store import Store

_READ_ONLY = 0o444
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MISMATCH = "its content does not match its checksum"


@dataclass(frozen=True, slots=True)
class Blob:
    """What another file says when it refers to one: sha256 in hex, and bytes."""

    digest: str
    size: int


class BlobWriter:
    """One new blob on its way in: hashed while it is written. Made by `Store.writer`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sha = hashlib.sha256()
        self._size = 0
        self._path = store.temporary()
        self._file: BinaryIO | None = None
        self.blob: Blob | None = None
        if store.writable:
            with store.guard():
                store.prepare()
                self._file = os.fdopen(atomic.create(self._path, _READ_ONLY), "wb", buffering=1 << 18)

    @property
    def size(self) -> int:
        """Bytes written so far: the offset of what comes next."""
        return self._size

    def write(self, data: bytes | memoryview) -> None:
        self._sha.update(data)
        self._size += len(data)
        if self._file is not None:
            with self._store.guard():
                self._file.write(data)
            if not self._store.writable:
                self.abandon()

    def finish(self) -> None:
        if self._file is None:
            return
        blob = Blob(self._sha.hexdigest(), self._size)
        with self._store.guard():
            self._file.close()
            # Replaces a blob that is there already: it may be damaged, and the bytes are the same if it is not.
            atomic.install(self._path, self._store.blob_path(blob.digest))
            self._file = None
            self.blob = blob

    def abandon(self) -> None:
        """Leaves no temporary file behind."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        self._file = None


def flaw(path: str, blob: Blob) -> str | None:
    """Why the file is not the blob; None: it is. OSError when it cannot be read."""
    with _open(path) as file:
        if os.fstat(file.fileno()).st_size != blob.size:
            return "its size is wrong"
        sha = hashlib.sha256()
        buffer = memoryview(bytearray(1 << 20))
        while count := file.readinto(buffer):
            sha.update(buffer[:count])
    return None if sha.hexdigest() == blob.digest else _MISMATCH


def read(path: str, blob: Blob) -> bytes:
    """The verified content of a small blob. OSError when it cannot be read or is not the blob."""
    with _open(path) as file:
        if os.fstat(file.fileno()).st_size != blob.size:
            raise OSError(errno.EIO, "its size is wrong")
        data = file.readall()
    if hashlib.sha256(data).hexdigest() != blob.digest:
        raise OSError(errno.EIO, _MISMATCH)
    return data


def _open(path: str) -> FileIO:
    """Refuses symbolic links and does not hang on a pipe that somebody put there."""
    descriptor = os.open(path, _READ)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return FileIO(descriptor, "rb")
