"""Finds installed packages, of Python and of npm, by looking at folders only."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

_ADD = {"bun.lock": "bun add", "bun.lockb": "bun add", "pnpm-lock.yaml": "pnpm add", "yarn.lock": "yarn add"}


class Distribution(NamedTuple):
    """An installed Python package: the folder that its files are relative to, and the list of them."""

    folder: str
    record: str


def installed(name: str) -> Distribution | None:
    """The installed distribution `name`.

    Looks for its .dist-info itself: importlib.metadata costs 38 ms to import, as much as the whole evaluation.
    """
    wanted = re.sub(r"[-_.]+", "_", name).lower()
    for folder in sys.path:
        for entry in _entries(folder or "."):
            project = entry.removesuffix(".dist-info").rpartition("-")[0]
            if entry.endswith(".dist-info") and re.sub(r"[-_.]+", "_", project).lower() == wanted:
                return Distribution(os.path.abspath(folder), os.path.join(folder, entry, "RECORD"))
    return _otherwise(name)


def _otherwise(name: str) -> Distribution | None:
    """For what has no .dist-info folder on sys.path: eggs, zipped and oddly installed packages."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return Distribution(os.path.abspath(str(distribution(name).locate_file(""))), "")
    except PackageNotFoundError:
        return None


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # sys.path also names zip files and folders that are not there
        return []


def records(found: Distribution, path: str) -> bool:
    """Whether `path` is a file of the distribution; one without a list of its files is believed."""
    try:
        with open(found.record, encoding="utf-8") as lines:
            return any(line.startswith((f"{path},", f'"{path}",')) for line in lines)
    except OSError:
        return True


def python_command() -> str:
    """How a user starts the Python that mbundle runs in."""
    return "python" if sys.prefix != sys.base_prefix else os.path.basename(sys.executable) or "python"


def _upwards(folder: str) -> Iterator[str]:
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def node_module(name: str, root: str) -> str | None:
    """Folder of the npm package `name` as Node would find it from `root`."""
    places = (os.path.join(folder, "node_modules", *name.split("/")) for folder in _upwards(root))
    return next((place for place in places if os.path.isdir(place)), None)


def add_command(root: str) -> str:
    """The command of the package manager whose lock file is nearest."""
    for folder in _upwards(root):
        for lock, command in _ADD.items():
            if os.path.exists(os.path.join(folder, lock)):
                return command
    return "npm install"
