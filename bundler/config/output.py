"""Where a build may write: never where anything lies that is not its own."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from ..errors import printable
from .findings import Bad, relative

_NEVER = frozenset({".git", ".hg", ".mbundle", "node_modules"})


def output_dir(written: str, root: str, inputs: Iterable[str]) -> str:
    """Absolute path of the output folder. Raises Bad when a build there would endanger anything."""
    path = os.path.normpath(os.path.join(root, written))
    real = os.path.realpath(path)
    for reason in (_place(real, root), _file_in_the_way(path, root), _input_inside(real, root, inputs)):
        if reason:
            raise Bad(f'is "{printable(written)}", {reason}', code="MB130")
    return path


def _place(real: str, root: str) -> str:
    if real == root:
        return "the project itself"
    if _inside(root, real):
        return "a folder that the project lies in"
    if real == os.path.realpath(os.path.expanduser("~")):
        return "your home folder"
    taken = next((part for part in relative(real, root).split(os.sep) if part in _NEVER), None)
    return f"inside {taken}, which belongs to another tool" if taken else ""


def _file_in_the_way(path: str, root: str) -> str:
    """Names the part of `path` that exists and is not a folder."""
    while path != os.path.dirname(path):
        try:
            if not stat.S_ISDIR(os.stat(path).st_mode):
                return f"but {relative(path, root)} is a file"
            return ""
        except OSError:
            path = os.path.dirname(path)
    return ""


def _input_inside(real: str, root: str, inputs: Iterable[str]) -> str:
    found = next((path for path in inputs if _inside(os.path.realpath(path), real) or _inside(path, real)), None)
    return f"which holds an input of the build, {printable(relative(found, root))}" if found else ""


def _inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)
