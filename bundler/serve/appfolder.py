"""A folder of the app as a place: what a page may need, never what is secret, never what is outside."""

from __future__ import annotations

import os
import re
import stat
from urllib.parse import quote

from .found import REVALIDATE, File, Found, Moved

_SECRET = re.compile(r"\..*|.*\.(?:py|pyc|pyi|pem|key|crt|cer|p12|pfx|jks|kdbx)|.*~", re.IGNORECASE)
"""Dotfiles (.env, .git, .npmrc, .mbundle), Python (the config and what it imports), keys, editors' copies."""
_OF_PACKAGES = re.compile(r".*\.(?:js|mjs|wasm|css|map|json|woff2?|png|svg)", re.IGNORECASE)
"""What a plain page imports from node_modules; scripts, licences and binaries there are nobody's business."""
_STORES = frozenset({".pnpm", ".store"})
"""Folders inside node_modules to which package managers link."""


class AppFolder:
    """`prefix`: segments of the URL under which the folder is."""

    def __init__(self, folder: str, prefix: tuple[str, ...] = ()) -> None:
        self.folder = os.path.realpath(folder)
        self._prefix = prefix

    def find(self, parts: tuple[str, ...]) -> Found:
        if parts[: len(self._prefix)] != self._prefix or len(parts) == len(self._prefix):
            return None
        *parents, last = parts[len(self._prefix) :]
        inside = [*parents, last] if last else parents
        path = os.path.join(self.folder, *inside)
        if not _allowed(tuple(inside)):
            return None
        try:
            if not last:
                return self._file(os.path.join(path, "index.html"))
            if stat.S_ISDIR(os.stat(path).st_mode):
                there = self._file(os.path.join(path, "index.html"))
                return Moved("/" + "/".join(map(quote, parts)) + "/") if there else None
            return self._file(path)
        except (OSError, ValueError):  # not there, may not be read, too long a name
            return None

    def _file(self, path: str) -> File | None:
        """The file that `path` leads to, through links too, if it is inside and may be seen by that name as well."""
        real = os.path.realpath(path, strict=True)
        inside = os.path.relpath(real, self.folder)
        if os.path.isabs(inside) or not _allowed(tuple(inside.split(os.sep)), _STORES):
            return None
        found = os.stat(real)
        if not stat.S_ISREG(found.st_mode):
            return None
        return File(real, found, f"{found.st_mtime_ns:x}-{found.st_size:x}", REVALIDATE)


def _allowed(inside: tuple[str, ...], stores: frozenset[str] = frozenset()) -> bool:
    """Whether no part of a path below the folder is secret; `..`, which leads out, begins with a dot."""
    if any(_SECRET.fullmatch(part) and part not in stores for part in inside):
        return False
    return (
        "node_modules" not in inside
        or not inside[-1:]
        or "." not in inside[-1]
        or bool(_OF_PACKAGES.fullmatch(inside[-1]))
    )
