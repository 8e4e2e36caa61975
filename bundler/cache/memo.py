"""What need not be found out again: digests of regions of unchanged files, of chunks by their recipe, and which graphs
have passed the gates.

One Memo serves one build. A file's fingerprint is taken when the build first meets it; what is learned about the file
is kept only if the fingerprint is still the same at `save` and was not racy when it was taken. The file of a
damaged memo is an empty memo: it only saves time.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..graph.model import Model, Region
from . import fingerprint, sealed
from .fingerprint import Fingerprint
from .keys import graph_digest
from .store import FORMAT, Store

FILE = "memo.json"
_KIND = "memo"
_FORGET_AFTER_DAYS = 30
_MAX_RECIPES = 10_000
_MAX_PASSED = 1_000
_DAY_NS = 86_400_000_000_000
Span = tuple[int, int]
"""Offset and length in a file, bytes."""


@dataclass(slots=True)
class _Known:
    """What is known of one file."""

    print: Fingerprint | None
    seen: int
    spans: dict[Span, str] = field(default_factory=dict)
    learned: bool = False
    """Whether this build added something."""


class Memo:
    """See the module's header. Safe for threads; processes merge what they know when they save."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._stored, self._recipes, self._passed = _read(store)
        self._new_recipes: dict[str, frozenset[str]] = {}
        self._new_passed: dict[str, None] = {}

    # -- regions of files

    def lookup(self, region: Region) -> str | None:
        """sha256 of the region, if it is known without reading it."""
        with self._lock:
            return self._of(region.path).spans.get((region.offset, region.length))

    def learn(self, region: Region, digest: str) -> None:
        """Takes over what the caller computed. It must have called `lookup` on the region before it read it."""
        with self._lock:
            known = self._of(region.path)
            if known.spans.get((region.offset, region.length)) != digest:
                known.spans[region.offset, region.length] = digest
                known.learned = True

    def sha256(self, region: Region) -> str:
        """sha256 of the region, read if it must be. OSError when the file is too short or gone."""
        digest = self.lookup(region)
        if digest is None:
            digest = fingerprint.digest(region.path, region.offset, region.length)
            self.learn(region, digest)
        return digest

    def sha256_all(self, regions: Sequence[Region]) -> tuple[str, ...]:
        """sha256 of each region; two threads read, as hashing is what takes the time."""
        if all(self.lookup(region) for region in regions):
            return tuple(map(self.sha256, regions))
        with ThreadPoolExecutor(2) as pool:
            return tuple(pool.map(self.sha256, regions))

    def graph(self, model: Model) -> str:
        """The graph digest of `model`: what step keys start from."""
        return graph_digest(model.skeleton, self.sha256_all([weight.region for weight in model.weights]))

    def spans(self, path: str) -> dict[Span, str]:
        """All that is known of the file, as this build saw it."""
        with self._lock:
            return dict(self._of(path).spans)

    # -- chunks

    def chunk(self, recipe: Iterable[str]) -> tuple[str, int] | None:
        """(sha256, bytes) of the chunk that blobs with these digests make, each padded to the alignment."""
        with self._lock:
            return self._recipes.get(_name(recipe))

    def learn_chunk(self, recipe: Iterable[str], digest: str, size: int, paths: Iterable[str] = ()) -> None:
        """`paths`: the files that the bytes came from. If one of them changes while the build runs, the bytes may not
        be those of the recipe, and nothing is kept."""
        with self._lock:
            name = _name(recipe)
            if self._recipes.get(name) != (digest, size):
                self._recipes[name] = (digest, size)
                self._new_recipes[name] = frozenset(paths)

    # -- gates

    def passed(self, key: str) -> bool:
        """Whether `learn_passed` was told this key, by this build or a former one."""
        with self._lock:
            return key in self._passed

    def learn_passed(self, key: str) -> None:
        """`key`: digest of all that a check which went well had to judge."""
        with self._lock:
            self._passed[key] = self._new_passed[key] = None

    # -- the file

    def unchanged(self, paths: Iterable[str]) -> bool:
        """Whether each file still is what this build met first, so that its digests hold for what was read since."""
        with self._lock:
            return all(self._settled(path) or self._same_content(path) for path in set(paths))

    def save(self) -> None:
        """Merges with what other builds saved meanwhile and writes once. Never fails a build."""
        with self._lock:
            known = {path: one for path, one in self._known.items() if one.spans and self._settled(path)}
            new = [name for name, paths in self._new_recipes.items() if all(map(self._settled, paths))]
            if not new and not self._new_passed and not any(one.learned for one in known.values()):
                return
            stored, recipes, passed = _read(self._store)
            recipes |= {name: self._recipes[name] for name in new}
            self._store.put_record(FILE, _KIND, _as_json(stored | known, recipes, passed | self._new_passed))

    def _of(self, path: str) -> _Known:
        known = self._known.get(path)
        if known is None:
            seen, found = fingerprint.now(), fingerprint.of(path)
            stored = self._stored.get(path)
            known = _Known(found, seen)
            if stored is not None and found is not None and stored.print == found:
                known.spans.update(stored.spans)
            self._known[path] = known
        return known

    def _settled(self, path: str) -> bool:
        """Unchanged since it was met, beyond doubt. Blobs are never written to, so being young says nothing there."""
        known = self._of(path)
        if known.print is None or fingerprint.of(path) != known.print:
            return False
        return path.startswith(self._store.blobs) or not known.print.racy(known.seen)

    def _same_content(self, path: str) -> bool:
        """For a young file, whose fingerprint proves nothing: reads again what is known of it."""
        known = self._of(path)
        if known.print is None or fingerprint.of(path) != known.print:
            return False
        with ThreadPoolExecutor(2) as pool:
            return all(pool.map(lambda one: fingerprint.digest(path, *one[0]) == one[1], known.spans.items()))


def _name(recipe: Iterable[str]) -> str:
    """One digest for many: a chunk of a thousand biases would fill the file with its recipe."""
    return hashlib.sha256("\n".join(recipe).encode()).hexdigest()


def _as_json(known: dict[str, _Known], recipes: dict[str, tuple[str, int]], passed: dict[str, None]) -> dict[str, Any]:
    oldest = fingerprint.now() - _FORGET_AFTER_DAYS * _DAY_NS
    files = {
        path: [list(one.print), one.seen, [[*span, digest] for span, digest in one.spans.items()]]
        for path, one in known.items()
        if one.print is not None and one.seen > oldest
    }
    recent = dict(list(recipes.items())[-_MAX_RECIPES:])
    return {"files": files, "recipes": recent, "passed": list(passed)[-_MAX_PASSED:]}


def _read(store: Store) -> tuple[dict[str, _Known], dict[str, tuple[str, int]], dict[str, None]]:
    try:
        value = sealed.load(os.path.join(store.folder, FILE), _KIND, FORMAT) or {"files": {}, "recipes": {}}
        files = {
            path: _Known(Fingerprint(*found), seen, {(offset, length): digest for offset, length, digest in spans})
            for path, (found, seen, spans) in value["files"].items()
        }
        recipes = {name: (digest, size) for name, (digest, size) in value["recipes"].items()}
        return files, recipes, dict.fromkeys(value.get("passed", ()))
    except (sealed.Damaged, KeyError, TypeError, ValueError, AttributeError):
        return {}, {}, {}
