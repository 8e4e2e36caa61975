"""The content-addressed store: a blob's name is the sha256 of its bytes, `blobs/ab/cdef...`.

Invariants: a blob appears whole or not at all (temporary file + rename); every read verifies size and sha256; what
does not verify is removed, told once, and is a miss, never an error. No method raises because of the cache: a folder
that cannot be used makes `put_*` return None and `get` a miss. Nothing is linked out of the store or into it: a
library that writes to "its" file must not reach ours, and onnx refuses hard-linked external data.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

from ..catalogue import problem
from ..errors import Problem
from . import atomic, sealed
from .blob import Blob, BlobWriter, flaw, read
from .pins import Pin

FORMAT = 1
"""Part of the folder's name, so that a cache of another format is neither read nor touched."""
FOLDER = f"mbundle-v{FORMAT}"
"""Everything lies in this subfolder: `--cache-dir ~` must not put a .gitignore into somebody's home."""

EXPORTS = "exports"
"""Subfolder of what `export.kept` keeps: folders, two levels down, that come and go whole."""

_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# A cache of mbundle; see https://bford.info/cachedir/\n"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


class Store:
    """See the module's header. Safe for threads and for any number of processes on one folder."""

    def __init__(self, folder: str, warn: Callable[[Problem], None] = lambda problem: None) -> None:
        self.folder = os.path.join(os.path.realpath(folder), FOLDER)
        self.warn = warn
        self.writable = True
        """False from the first failed write on."""
        self._told: set[str] = set()
        self._pin: Pin | None = None
        self._scratch: list[str] = []

    # -- writing

    def put_bytes(self, data: bytes) -> Blob | None:
        """Stores `data`; None when the cache takes nothing."""
        with self.writer() as writer:
            writer.write(data)
        return writer.blob

    @contextlib.contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """A new blob, written piece by piece; `.blob` is set afterwards, None when the cache did not take it."""
        writer = BlobWriter(self)
        try:
            yield writer
            writer.finish()
        finally:
            writer.abandon()

    def put_record(self, path: str, kind: str, value: object) -> bool:
        """Writes a sealed JSON file at `path`, which is relative to the store."""
        with self.guard():
            self.prepare()
            target = os.path.join(self.folder, path)
            sealed.save(target, kind, FORMAT, value, temporary=self.temporary())
            return True
        return False

    # -- reading

    def get(self, blob: Blob) -> str | None:
        """Absolute path of a blob whose size and sha256 were just verified; None is a miss. Do not write to it."""
        path = self.blob_path(blob.digest)
        try:
            found = flaw(path, blob)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            found = error.strerror or "it cannot be read"
        if found is None:
            return path
        self.discard(path, found)
        return None

    def get_bytes(self, blob: Blob) -> bytes | None:
        """Content of a small blob, verified; None is a miss."""
        path = self.blob_path(blob.digest)
        try:
            return read(path, blob)
        except OSError as error:
            if error.errno not in _ABSENT:
                self.discard(path, error.strerror or "it cannot be read")
            return None

    def get_record(self, path: str, kind: str) -> object | None:
        """The value of a sealed file; None is a miss."""
        target = os.path.join(self.folder, path)
        try:
            return sealed.load(target, kind, FORMAT)
        except sealed.Damaged as damage:
            self.discard(target, str(damage))
            return None

    # -- housekeeping

    def scratch(self, label: str = "step") -> str:
        """A new empty folder on the cache's filesystem, or in the system's temporary folder; gone after `close`."""
        folder = os.path.join(self.folder, "tmp", os.path.basename(atomic.unique("", f"-{label}")))
        if self.writable:
            with self.guard():
                self.prepare()
                os.mkdir(folder, 0o700)
                self._scratch.append(folder)
                return folder
        folder = os.path.realpath(tempfile.mkdtemp(prefix="mbundle-"))
        self._scratch.append(folder)
        return folder

    def close(self) -> None:
        """Removes the scratch folders and tells other processes that this build is done."""
        for folder in self._scratch:
            shutil.rmtree(folder, ignore_errors=True)
        self._scratch.clear()
        if self._pin is not None:
            self._pin.close()
            self._pin = None

    def __enter__(self) -> Store:
        self.hold()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def hold(self) -> None:
        """Keeps gc and clear of other processes off what this build may use."""
        if self._pin is None and os.path.isdir(self.folder):
            self._pin = Pin(self.pins)

    @property
    def pins(self) -> str:
        return os.path.join(self.folder, "live")

    @property
    def blobs(self) -> str:
        """The folder of the blobs, with a separator at its end."""
        return os.path.join(self.folder, "blobs", "")

    def blob_path(self, digest: str) -> str:
        return os.path.join(self.folder, "blobs", digest[:2], digest[2:])

    def temporary(self) -> str:
        return atomic.unique(os.path.join(self.folder, "tmp"))

    def discard(self, path: str, why: str) -> None:
        """Removes an entry that cannot be used and says so once."""
        with contextlib.suppress(OSError):
            os.unlink(path)
        shown = os.path.relpath(path, os.path.dirname(self.folder))
        self._tell("MB452", f"Cache entry {shown} was removed: {why}.")

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Around writes: an OSError turns writing off for this build, with one warning."""
        try:
            yield
        except OSError as error:
            self.writable = False
            reason = error.strerror or str(error)
            if error.errno in _NO_SPACE:
                self._tell("MB451", f"The cache cannot grow: {reason}.")
            else:
                self._tell("MB450", f"The cache folder cannot be written: {reason}.")

    def _tell(self, code: str, what: str) -> None:
        if code not in self._told:
            self._told.add(code)
            self.warn(problem(code, what, file=os.path.dirname(self.folder), severity="warning"))

    def prepare(self) -> None:
        """The folder with its tag (backup tools skip it) and its .gitignore."""
        if not os.path.exists(os.path.join(self.folder, "CACHEDIR.TAG")):
            os.makedirs(os.path.join(self.folder, "tmp"), exist_ok=True)
            for name, content in ((".gitignore", b"*\n"), ("CACHEDIR.TAG", _TAG)):
                atomic.write(os.path.join(self.folder, name), content, temporary=self.temporary())
        self.hold()
