"""What compressing a file gave, remembered from build to build: a no is as dear to find out as a yes."""

from __future__ import annotations

import threading

from .store import Store

FILE = "twins.json"
_KIND = "twins"
_MOST = 10_000


class Twins:
    """Key -> (bytes, sha256) of the compressed file; (0, "") where none pays. Safe for threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known = _read(store)
        self._changed = False

    def get(self, key: str) -> tuple[int, str] | None:
        with self._lock:
            return self._known.get(key)

    def put(self, key: str, size: int, sha256: str) -> None:
        with self._lock:
            self._changed |= self._known.get(key) != (size, sha256)
            self._known.pop(key, None)
            self._known[key] = (size, sha256)

    def save(self) -> None:
        """The newest of them, and what another build has learned meanwhile."""
        with self._lock:
            if self._changed:
                merged = list((_read(self._store) | self._known).items())[-_MOST:]
                self._store.put_record(FILE, _KIND, {key: list(value) for key, value in merged})


def _read(store: Store) -> dict[str, tuple[int, str]]:
    value = store.get_record(FILE, _KIND)
    if not isinstance(value, dict):
        return {}
    found = {key: item for key, item in value.items() if isinstance(item, list) and len(item) == 2}
    return {key: (int(size), str(sha256)) for key, (size, sha256) in found.items()}
