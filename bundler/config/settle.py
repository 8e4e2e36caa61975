"""Puts found recipes into the config, in place of the `auto(...)` that found them. Nothing else in the file changes."""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ..catalogue import problem
from ..errors import OutputError

Place: TypeAlias = tuple[str, int, int, int, int]
"""File, first and last line (from 1), first column and end column (in UTF-8 bytes, from 0) of a call."""


def settle(recipes: Mapping[Place, Sequence[str]], package: str, needs: Sequence[str]) -> list[str]:
    """Replaces the call at each place by calls, and imports `needs` from `package` too. Returns the changed files.

    Raises OutputError (MB194) when a call is no element of a list, where several can stand for it; then no file has
    been changed.
    """
    files = sorted({place[0] for place in recipes})
    texts = {file: _settled(file, recipes, package, needs) for file in files}
    for file, text in texts.items():
        _replace(file, text)
    return files


def _settled(file: str, recipes: Mapping[Place, Sequence[str]], package: str, needs: Sequence[str]) -> bytes:
    with open(file, "rb") as stream:
        source = stream.read()
    starts = _line_starts(source)
    tree = ast.parse(source)
    elements = {_place(file, one) for node in ast.walk(tree) if isinstance(node, ast.List) for one in node.elts}
    edits = []
    for place, calls in recipes.items():
        if place[0] != file:
            continue
        if place not in elements:
            raise OutputError(problem("MB194", "auto(...) is no element of a list here.", file=file, line=place[1]))
        indent = b" " * place[3]
        text = (b",\n" + indent).join(call.encode() for call in calls)
        edits.append((starts[place[1] - 1] + place[3], starts[place[2] - 1] + place[4], text))
    edits += _imports(tree, starts, package, needs)
    for begin, end, text in sorted(edits, reverse=True):
        source = source[:begin] + text + source[end:]
    return source


def _imports(
    tree: ast.Module, starts: Sequence[int], package: str, needs: Sequence[str]
) -> list[tuple[int, int, bytes]]:
    found = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == package]
    known = {alias.asname or alias.name for node in found for alias in node.names}
    missing = sorted(set(needs) - known)
    if not found or not missing:
        return []
    last = found[0].names[-1]
    at = starts[(last.end_lineno or 1) - 1] + (last.end_col_offset or 0)
    return [(at, at, f", {', '.join(missing)}".encode())]


def _place(file: str, node: ast.expr) -> Place:
    return file, node.lineno, node.end_lineno or 0, node.col_offset, node.end_col_offset or 0


def _line_starts(source: bytes) -> list[int]:
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _replace(file: str, text: bytes) -> None:
    real = os.path.realpath(file)
    try:
        handle, partial = tempfile.mkstemp(dir=os.path.dirname(real), prefix=".mbundle-")
        with os.fdopen(handle, "wb") as stream:
            stream.write(text)
        os.chmod(partial, os.stat(real).st_mode & 0o7777)
        os.replace(partial, real)
    except OSError as error:
        raise OutputError(problem("MB194", f"{error.strerror}.", file=file)) from error
