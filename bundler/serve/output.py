"""The output folder as a place: what has the name of an emitted file is served, and nothing else.

The allow-list is the *shape* of the names (`ownership.is_ours`) and not the manifest's list: during a commit the
pointers are new before the record is, and files of the former build stay for tabs that are open.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from ..emit import ownership
from ..emit.compress import SUFFIXES
from .found import IMMUTABLE, REVALIDATE, File, Found, Text, regular
from .mime import type_of

NEVER_STORED = "no-store"
"""For the manifest, by which everybody finds out what is new."""
_POINTER_LIMIT = 64 << 20


class OutputFiles:
    """`rewrite`: what the dev server makes of a pointer (name, content) before it is sent."""

    def __init__(self, folder: str, rewrite: Callable[[str, bytes], bytes] | None = None) -> None:
        self.folder = os.path.abspath(folder)
        self._rewrite = rewrite

    def find(self, parts: tuple[str, ...]) -> Found:
        name = "/".join(parts)
        if not ownership.is_ours(name):
            return None
        if len(parts) > 1 and not self._is_folder(parts[0]):
            return None
        path = os.path.join(self.folder, *parts)
        return self._pointer(name, path) if ownership.is_pointer(name) else self._immutable(name, path)

    def _is_folder(self, name: str) -> bool:
        """A folder of ours is never a link: no build makes one."""
        try:
            return stat.S_ISDIR(os.lstat(os.path.join(self.folder, name)).st_mode)
        except OSError:
            return False

    def _pointer(self, name: str, path: str) -> Text | None:
        if regular(path) is None:
            return None
        try:
            with open(path, "rb") as file:
                content = file.read(_POINTER_LIMIT)
        except OSError:
            return None
        cache = NEVER_STORED if name == ownership.MANIFEST else REVALIDATE
        return Text(self._rewrite(name, content) if self._rewrite else content, type_of(name), cache)

    def _immutable(self, name: str, path: str) -> File | None:
        found = regular(path)
        if found is None:
            return None
        twins: dict[str, str] = {coding: path + suffix for coding, suffix in SUFFIXES.items() if regular(path + suffix)}
        stem = os.path.basename(name).rsplit(".", 1)[0].rpartition("-")[2]
        return File(path, found, f"{stem}-{found.st_size:x}", IMMUTABLE, twins)
