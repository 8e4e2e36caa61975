"""What a session depends on, and which of it is not any more what the last build saw.

`base` is taken when a build begins, before it reads anything, so a change that comes at any later moment differs
from it. A file that is met only later (external data: known once its model was read) differs if it is younger than
the build.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from ..cache.fingerprint import Fingerprint
from ..config.schema import BuildConfig, EntrySpec
from .places import below, siblings
from .watcher import look


class Files:
    """Thread-safe. Paths are absolute; one of a folder stands for the names in it."""

    def __init__(self, config_file: str) -> None:
        self.config_file, self.root = config_file, os.path.dirname(config_file)
        self._lock = threading.Lock()
        self._base: dict[str, Any] = {}
        self._began = 0
        self._last: set[str] = set()
        """Of the last good build."""
        self._met: set[str] = set()
        """By the build that runs."""
        self._hopeful: set[str] = set()
        """Whose change could mend what is broken."""

    def watched(self) -> set[str]:
        with self._lock:
            return {self.config_file} | self._last | self._met | self._hopeful

    def begin(self) -> None:
        """A build begins."""
        paths = self.watched()
        with self._lock:
            self._began = time.time_ns()
            self._met = set()
            self._base = {path: look(path) for path in paths}

    def meet(self, paths: Iterable[str]) -> list[str]:
        """The build reads these. Returns those that may have changed since it began."""
        with self._lock:
            self._met |= set(paths)
            return self._add(self._met)

    def _add(self, paths: Iterable[str]) -> list[str]:
        new = {path: look(path) for path in paths if path not in self._base}
        self._base |= new
        return [path for path, found in new.items() if _younger(found, self._began)]

    def differs(self, path: str) -> bool:
        """Whether the last build has not seen `path` as it is, or cannot be known to have: it was young then."""
        with self._lock:
            if path not in self._base:
                return False
            seen = self._base[path]
            return look(path) != seen or (isinstance(seen, Fingerprint) and seen.racy(self._began))

    def succeeded(self, config: BuildConfig) -> None:
        with self._lock:
            sources = [one for entry in config.entries for one in entry.candidates or (entry,)]
            self._last = self._met | {folder for one in sources for folder in self._folders(one)}
            self._hopeful = set()

    def _folders(self, entry: EntrySpec) -> tuple[str, ...]:
        """That are a source themselves, so that names which come or go in them count."""
        if entry.export:
            return entry.export.folders
        return (os.path.dirname(entry.source_path),) if _folder(entry.source, self.root) else ()

    def failed(self, inputs: Iterable[str]) -> list[str]:
        """`inputs`: what the error says is worth another look. Beside every file of the user's own that was met may
        lie the one that is missing: a helper module, or weights that are still being exported.
        Returns those that may have changed since the build began."""
        with self._lock:
            hopeful = {*inputs, self.root, *_packages()}
            for path in self._last | self._met | hopeful:
                folder = os.path.dirname(path)
                if path.endswith(".onnx"):
                    hopeful |= {folder, *filter(_may_be_weights, siblings(folder))}
                elif below(path, self.root):
                    hopeful |= {folder, *(one for one in siblings(folder) if one.endswith(".py"))}
            self._hopeful = hopeful
            return self._add(hopeful)

    def shown(self, path: str) -> str:
        """As the user knows it; of a folder in which names came or went, the first of these. Before `begin`."""
        with self._lock:
            before, after = self._base.get(path), look(path)
        if isinstance(before, tuple) and isinstance(after, tuple) and not isinstance(after, Fingerprint):
            path = os.path.join(path, min(set(before) ^ set(after), default=""))
        inside = os.path.relpath(path, self.root) if below(path, self.root) else path
        return inside.replace(os.sep, "/")


def _may_be_weights(path: str) -> bool:
    """Not a log, which would be written to for every failure that it is looked at for: ours may lie there too."""
    return not path.endswith((".log", ".txt", ".out", ".err", ".json", ".jsonl", ".md", ".csv"))


def _younger(found: Any, began: int) -> bool:
    return isinstance(found, Fingerprint) and max(found.mtime, found.ctime) >= began


def _folder(source: str, root: str) -> bool:
    return ":" not in source and os.path.isdir(os.path.join(root, source))


def _packages() -> list[str]:
    """Folders of installed packages: the one that the config wants may come to be there."""
    return [
        os.path.abspath(folder)
        for folder in sys.path
        if folder.rstrip("/").endswith(("site-packages", "dist-packages"))
    ]
