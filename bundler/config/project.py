"""Which files are the user's project, which of them a config has read, and importing them without stale bytecode.

A helper module that is edited within the same second to the same size is served from an old .pyc (measured: 3 of 3).
So modules below the root are always compiled from source. Whatever the config opens for reading below the root is
an input of it, recorded by an audit hook: that also catches data files, and modules whose import fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from typing import Any

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_FOREIGN = frozenset({"__pycache__", "dist-packages", "node_modules", "site-packages"})
"""Folders that may lie in a project without being the user's own work. Hidden folders (.venv, .git) are foreign too."""


class Project:
    """The folder of the config, and what was read below it."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.inputs: set[str] = set()

    def owns(self, path: str) -> bool:
        """Whether `path` (absolute) is the user's own work: below the root, not installed, not this package."""
        if not path.startswith(self.root.rstrip(os.sep) + os.sep) or path.startswith(_PACKAGE + os.sep):
            return False
        parts = path[len(self.root) :].split(os.sep)
        return not any(part in _FOREIGN or part.startswith(".") for part in parts)

    def modules(self) -> tuple[str, ...]:
        """The Python files among the inputs, sorted."""
        return tuple(sorted(path for path in self.inputs if path.endswith(".py")))

    def read(self, path: Any, mode: Any, flags: Any) -> None:
        """Notes that `path` was opened, if it was to read it and is the user's. Never raises."""
        writes = isinstance(mode, str) and set(mode) & set("wax+")
        if writes or not isinstance(path, str) or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
            return
        full = os.path.abspath(path)
        if self.owns(full):
            self.inputs.add(full)


_watched: list[Project] = []
_known: list[Project] = []
"""Every project so far: a loader's function may import more of its own after the evaluation."""


@contextmanager
def watching(project: Project) -> Iterator[None]:
    """While open: imports below the root come from source, and what is read there is recorded."""
    if not _known:  # hooks stay for good (audit hooks cannot be taken away), so they are set once
        sys.addaudithook(_audit)
        sys.path_hooks.insert(0, _finder)
    _forget(project)
    _known.append(project)
    _watched.append(project)
    sys.path.insert(0, project.root)
    sys.path_importer_cache.clear()
    try:
        yield
    finally:
        _watched.remove(project)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _watched:
        for project in _watched:
            project.read(*arguments)


def _forget(project: Project) -> None:
    """Drops modules of the project that an earlier evaluation in this process imported."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and project.owns(file):
            del sys.modules[name]


class _FromSource(SourceFileLoader):
    def path_stats(self, path: str) -> Any:
        raise OSError("no bytecode: neither read nor written")


def _finder(path: str) -> FileFinder:
    if not any(project.owns(os.path.join(path, "module.py")) for project in _known):
        raise ImportError("not the user's")
    return FileFinder(path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_FromSource, SOURCE_SUFFIXES))
