"""The output folder as a place: what is in it, whole; and how a finished file gets its name there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from typing import Protocol

from ..catalogue import problem
from ..errors import OutputError
from ..graph.model import Region
from .ownership import FileMark

_BLOCK = 1 << 20


class DigestMemo(Protocol):
    """The half of `chunks.memo.Memo` that is about files."""

    def lookup(self, region: Region) -> str | None: ...
    def learn(self, region: Region, digest: str) -> None: ...


class OutputFolder:
    """`path` is absolute. File names are relative, with forward slashes, at most two folders deep. Safe for threads."""

    def __init__(self, path: str, memo: DigestMemo | None) -> None:
        self.path = path
        self._memo = memo
        self._made: list[str] = []

    def at(self, name: str) -> str:
        return os.path.join(self.path, name)

    def create(self) -> None:
        """Makes the folder and its parents where they are missing."""
        missing = []
        path = self.path
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another build was quicker
                os.mkdir(folder)
                self._made.append(folder)
                sync(os.path.dirname(folder))

    def remove_made(self) -> None:
        """Takes back the folders that this build made, where they stayed empty."""
        for path in reversed(self._made):
            with contextlib.suppress(OSError):
                os.rmdir(path)

    def plain(self, name: str) -> os.stat_result | None:
        """Stat of the file if it is a regular one reached without any link; None otherwise."""
        try:
            found = os.lstat(self.at(name))
            if not all(stat.S_ISDIR(os.lstat(self.at(folder)).st_mode) for folder in _above(name)):
                return None
        except OSError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def looks_like(self, name: str, mark: FileMark) -> bool:
        """Whether the file is there with the right size; its content is not read."""
        found = self.plain(name)
        return found is not None and found.st_size == mark.nbytes

    def holds(self, name: str, mark: FileMark) -> bool:
        """Whether the file is there, whole: its content is read unless the memo vouches for it."""
        if not self.looks_like(name, mark):
            return False
        region = Region(self.at(name), 0, mark.nbytes)
        digest = self._memo.lookup(region) if self._memo else None
        if digest is None:
            digest = _digest(region.path)
            if digest == mark.sha256 and self._memo:
                self._memo.learn(region, digest)
        return digest == mark.sha256

    def holds_bytes(self, name: str, data: bytes) -> bool:
        return self.holds(name, FileMark(len(data), hashlib.sha256(data).hexdigest()))

    def place(self, staged: Mapping[str, str]) -> None:
        """Renames files, each from its path to its name, in order. When it returns they are on the disk."""
        folders = sorted({"", *(folder for name in staged for folder in _above(name))})
        for folder in folders:
            self._make(folder)
        for name, path in staged.items():
            os.replace(path, self.at(name))
        for folder in folders:
            sync(self.at(folder))

    def remove(self, names: Iterable[str]) -> tuple[str, ...]:
        """Removes files, in order, and then the folders that are empty without them. Never through a link."""
        removed = []
        for name in names:
            if self.plain(name) is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.at(name))
                removed.append(name)
        for folder in sorted({folder for name in removed for folder in _above(name)}, reverse=True):
            with contextlib.suppress(OSError):  # not empty
                os.rmdir(self.at(folder))
        return tuple(removed)

    def _make(self, folder: str) -> None:
        path = self.at(folder)
        if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
            raise OutputError(problem("MB402", "It is not a folder.", file=path))
        if not os.path.isdir(path):
            with contextlib.suppress(FileExistsError):
                os.mkdir(path)
                self._made.append(path)
            sync(os.path.dirname(path))


def _above(name: str) -> list[str]:
    """The folders that a file lies in, the outermost first."""
    *folders, _ = name.split("/")
    return ["/".join(folders[: depth + 1]) for depth in range(len(folders))]


def sync(folder: str) -> None:
    """Renames are on the disk when their folder is. Systems that cannot open a folder (Windows) need none of this."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except PermissionError:
        if os.name == "nt":
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: str) -> str:
    sha = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                sha.update(block)
    except OSError:
        return ""
    return sha.hexdigest()
