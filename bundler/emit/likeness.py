"""Whether a chunk that is about to be made looks like one that is there, so that reading it may spare writing it."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Callable
from threading import Lock

from ..chunks import names


class Likeness:
    """The weight files in an output folder as they were at the first question. Only a hint. Safe for threads."""

    def __init__(self, out_dir: str) -> None:
        self._folder = os.path.join(out_dir, names.ASSETS)
        self._lock = Lock()
        self._sizes: dict[int, list[str]] | None = None
        self._heads: dict[str, bytes] = {}

    def has(self, nbytes: int, head: Callable[[], bytes]) -> bool:
        """Whether one has that size and begins so."""
        with self._lock:
            if self._sizes is None:
                self._sizes = _sizes(self._folder)
            paths = self._sizes.get(nbytes, ())
        if not paths:
            return False
        wanted = head()
        return any(self._head(path, len(wanted)) == wanted for path in paths)

    def _head(self, path: str, nbytes: int) -> bytes:
        if len(self._heads.get(path, b"")) < nbytes:
            try:
                with open(path, "rb", buffering=0) as file:
                    self._heads[path] = file.read(nbytes)
            except OSError:
                return b""
        return self._heads[path][:nbytes]


def _sizes(folder: str) -> dict[int, list[str]]:
    """Size -> paths of the weight files that have it."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    try:
        with os.scandir(folder) as items:
            for item in items:
                if item.name.endswith(names.WEIGHTS):
                    status = item.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        found[status.st_size].append(item.path)
    except OSError:
        return {}
    return dict(found)
