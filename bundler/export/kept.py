"""Exports that were made before: a folder each, `exports/ab/cdef…`, beside the blobs of the cache.

A folder and not blobs, as its files name each other (external data). It appears whole, by a rename; its record holds
the sha256 of each file, which is compared when it is used; what does not fit is a miss.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from typing import Any

from ..cache import sealed
from ..cache.keys import Key
from ..cache.memo import Memo
from ..cache.store import EXPORTS, FORMAT, Store
from ..graph.model import Region

KIND = "export"
RECORD = "export.json"


def find(store: Store, memo: Memo, key: Key) -> tuple[str, dict[str, Any]] | None:
    """(absolute folder, what `keep` was given); None is a miss. Counts as a use for `gc`."""
    folder = folder_of(store, key)
    with contextlib.suppress(OSError):
        os.utime(folder)
    try:
        value = sealed.load(os.path.join(folder, RECORD), KIND, FORMAT)
        if value is None:
            return None
        if value["key"] == key.hex and all(_same(memo, folder, *row) for row in value["files"]):
            return folder, value["result"]
    except (sealed.Damaged, KeyError, TypeError, ValueError, OSError):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    return None


def _same(memo: Memo, folder: str, name: str, size: int, digest: str) -> bool:
    path = os.path.join(folder, os.path.basename(name))
    return os.path.getsize(path) == size and memo.sha256(Region(path, 0, size)) == digest


def keep(store: Store, memo: Memo, key: Key, made: str, result: Mapping[str, Any]) -> str:
    """Takes the folder `made`, on the cache's filesystem, over; returns where it is now. Without a working cache it
    stays what it is: a folder that goes with the build."""
    if not store.writable:
        return made
    target = folder_of(store, key)
    with store.guard():
        rows = [_row(made, name) for name in sorted(os.listdir(made))]
        value = {"key": key.hex, "parts": dict(key.parts), "files": rows, "result": dict(result)}
        sealed.save(os.path.join(made, RECORD), KIND, FORMAT, value)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(made, target)
        for name, size, digest in rows:
            memo.learn(Region(os.path.join(target, name), 0, size), digest)
        return target
    return made


def _row(folder: str, name: str) -> tuple[str, int, str]:
    from ..cache.fingerprint import digest

    path = os.path.join(folder, name)
    return name, os.path.getsize(path), digest(path)


def folder_of(store: Store, key: Key) -> str:
    return os.path.join(store.folder, EXPORTS, key.hex[:2], key.hex[2:])
