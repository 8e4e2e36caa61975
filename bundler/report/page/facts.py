"""The optional files beside an output folder: what the last build, bench, golden and check left behind.

Each may be missing, of another version or damaged; then its section says which command fills it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...cache.location import WORK_FOLDER

_MOST = 64 << 20
"""Bytes of a file that is read."""
_LINES = 500
"""Checks of the history that are shown, the last ones."""


@dataclass(frozen=True, slots=True)
class Facts:
    """JSON as it was found; an empty dict or list where there is none. `root`: the project, "" when unknown."""

    root: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    bench: dict[str, Any] = field(default_factory=dict)
    golden: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def gather(dist: str, history: str | None = None) -> Facts:
    """The facts of the project whose last build wrote `dist`: the nearest folder above it that has a work folder."""
    root = project_of(dist)
    work = os.path.join(root, WORK_FOLDER)
    past = history or (os.path.join(work, "history.jsonl") if root else "")
    if not root:
        return Facts(history=list(_lines(past)))
    stats = _object(os.path.join(work, "stats.json"))
    mine = os.path.realpath(os.path.join(root, str(stats.get("outDir", "")))) == os.path.realpath(dist)
    return Facts(
        root,
        stats if mine else {},
        _object(os.path.join(work, "bench.json")),
        _object(os.path.join(work, "golden.json")),
        list(_lines(past)),
    )


def digest_of(dist: str) -> str:
    """sha256 of the manifest: a bench of other bytes is not shown. "" when it cannot be read."""
    try:
        with open(os.path.join(dist, "model-manifest.json"), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def project_of(dist: str) -> str:
    """The nearest folder above the output that a build has worked in; "" when there is none."""
    folder = os.path.abspath(dist)
    while os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
        if os.path.isdir(os.path.join(folder, WORK_FOLDER)):
            return folder
    return ""


def _object(path: str) -> dict[str, Any]:
    value = _parsed(_text(path))
    return value if isinstance(value, dict) else {}


def _lines(path: str) -> Iterator[dict[str, Any]]:
    for line in _text(path).splitlines()[-_LINES:]:
        value = _parsed(line)
        if isinstance(value, dict):
            yield value


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST).decode(errors="replace")
    except OSError:
        return ""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
