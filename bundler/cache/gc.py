"""What leaves the cache, and when.

A step that nothing used for 30 days goes; then the least recently used ones until the cache fits its cap; then every
blob that no remaining step names. Nothing that was used in the last 30 minutes, or since the longest-running build
began, goes at all: a build that runs now has it open. `decide` is pure; the rest tolerates others doing the same.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import atomic, pins, sealed
from .keys import LOADER
from .steps import KIND, Saved, parse
from .store import EXPORTS, FORMAT, Store

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and seconds."""

    size: int = 5 << 30
    age: float = 30 * _DAY
    grace: float = 30 * 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """A step record on disk. `used`: seconds since the epoch. `blobs`: digests that it names."""

    path: str
    size: int
    used: float
    blobs: frozenset[str]
    loader: str = "?"


@dataclass(frozen=True, slots=True)
class BlobFile:
    size: int
    used: float


@dataclass(frozen=True, slots=True)
class Contents:
    """`complete`: whether every record could be read. What an unreadable record names is unknown, so no blob may go."""

    steps: Sequence[Step]
    blobs: Mapping[str, BlobFile]
    complete: bool = True

    @property
    def size(self) -> int:
        return sum(step.size for step in self.steps) + sum(blob.size for blob in self.blobs.values())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `decide` found to be superfluous."""

    steps: tuple[Step, ...]
    blobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection did. Bytes."""

    steps: int
    blobs: int
    freed: int
    left: int


def decide(contents: Contents, now: float, limits: Limits, earliest: float | None = None) -> Verdict:
    """earliest: when the longest-running build began (seconds since the epoch)."""
    cutoff = min(now - limits.grace, now if earliest is None else earliest)
    by_age = sorted(contents.steps, key=lambda step: (step.used, step.path))
    free = [step for step in by_age if step.used < cutoff]
    dropped = [step for step in free if step.used < now - limits.age]
    gone = {step.path for step in dropped}
    kept = [step for step in by_age if step.path not in gone]
    named = _count(kept)
    size = sum(step.size for step in kept) + sum(
        blob.size for digest, blob in contents.blobs.items() if digest in named or blob.used >= cutoff
    )
    for step in free[len(dropped) :]:
        if size <= limits.size:
            break
        dropped.append(step)
        size -= step.size + sum(_release(digest, named, contents.blobs, cutoff) for digest in step.blobs)
    return Verdict(tuple(dropped), _unnamed(contents, named, cutoff) if contents.complete else ())


def _count(steps: Sequence[Step]) -> dict[str, int]:
    named: dict[str, int] = {}
    for step in steps:
        for digest in step.blobs:
            named[digest] = named.get(digest, 0) + 1
    return named


def _release(digest: str, named: dict[str, int], blobs: Mapping[str, BlobFile], cutoff: float) -> int:
    """Bytes that go when one more step stops naming the blob."""
    named[digest] -= 1
    if named[digest]:
        return 0
    del named[digest]
    blob = blobs.get(digest)
    return blob.size if blob and blob.used < cutoff else 0


def _unnamed(contents: Contents, named: Mapping[str, int], cutoff: float) -> tuple[str, ...]:
    return tuple(digest for digest, blob in contents.blobs.items() if digest not in named and blob.used < cutoff)


def scan(store: Store) -> Contents:
    """All that the cache holds."""
    records, complete = _files(os.path.join(store.folder, "steps"))
    steps = []
    for path, found in records:
        saved, readable = _record(path)
        complete = complete and readable
        named = {saved.model, saved.weights} if saved else set()
        digests = frozenset(blob.digest for blob in named if blob)
        loader = saved.key.parts.get(LOADER, "?") if saved else "?"
        steps.append(Step(path, found.st_size, found.st_mtime, digests, loader))
    steps += _exports(os.path.join(store.folder, EXPORTS))
    blobs, _ = _files(store.blobs)
    return Contents(
        steps,
        {"".join(path.split(os.sep)[-2:]): BlobFile(found.st_size, found.st_mtime) for path, found in blobs},
        complete,
    )


def _exports(folder: str) -> list[Step]:
    """Each stands for a step that names no blobs."""
    found = []
    for path, status in _files(folder)[0]:
        with contextlib.suppress(OSError):
            size = sum(item.stat(follow_symlinks=False).st_size for item in os.scandir(path))
            found.append(Step(path, size, status.st_mtime, frozenset(), "export"))
    return found


def _record(path: str) -> tuple[Saved | None, bool]:
    """The record, None when it is gone or damaged, as no build would use it; and whether that much is certain."""
    try:
        return parse(sealed.load(path, KIND, FORMAT)), True
    except sealed.Damaged as damage:
        return None, not isinstance(damage.__cause__, OSError)
    except (KeyError, TypeError, ValueError):
        return None, True


def collect(store: Store, limits: Limits | None = None) -> Collected:
    """Removes what `decide` finds, records before blobs, so that no record is left that names a removed blob."""
    contents = scan(store)
    verdict = decide(contents, time.time(), limits or Limits(), pins.earliest(store.pins))
    steps = [step for step in verdict.steps if _remove(store, step.path, step.used)]
    found = contents.blobs
    blobs = [digest for digest in verdict.blobs if _remove(store, store.blob_path(digest), found[digest].used)]
    _sweep_temporary(store)
    freed = sum(step.size for step in steps) + sum(found[digest].size for digest in blobs)
    return Collected(len(steps), len(blobs), freed, contents.size - freed)


def clear(store: Store) -> Collected:
    """Removes everything, whatever its format, unless a build runs: then all but what that build may need."""
    if pins.earliest(store.pins) is not None:
        return collect(store, Limits(size=0, age=0.0, grace=0.0))
    contents = scan(store)
    freed = contents.size
    for folder in formats(store):
        shutil.rmtree(folder, ignore_errors=True)
    left = scan(store).size
    return Collected(len(contents.steps), len(contents.blobs), freed - left, left)


def formats(store: Store) -> list[str]:
    """Our folders of every format version in the cache folder."""
    parent = os.path.dirname(store.folder)
    with contextlib.suppress(OSError):
        return [
            os.path.join(parent, name)
            for name in sorted(os.listdir(parent))
            if name.startswith("mbundle-v") and name.removeprefix("mbundle-v").isdecimal()
        ]
    return []


def _sweep_temporary(store: Store) -> None:
    """What killed builds left behind: older than every build that runs, and made by no process that is there."""
    folder, now = os.path.join(store.folder, "tmp"), time.time()
    earliest = pins.earliest(store.pins) or now
    with contextlib.suppress(OSError):
        for item in list(os.scandir(folder)):
            with contextlib.suppress(OSError):
                touched = item.stat(follow_symlinks=False).st_mtime
                if touched < now - _DAY or (touched < earliest and not atomic.maker_runs(item.name)):
                    shutil.rmtree(item.path) if item.is_dir(follow_symlinks=False) else os.unlink(item.path)


def _remove(store: Store, path: str, used: float) -> bool:
    """Takes the file away, looks again, and puts it back if somebody used it since it was scanned.

    `Steps.find` marks a record as used before it reads it, so a record that is in use either is put back or was never
    found; unlinking at once would pull it from under a build that met it in between.
    """
    aside = store.temporary()
    try:
        os.rename(path, aside)
        if os.stat(aside, follow_symlinks=False).st_mtime > used:
            os.rename(aside, path)
            return False
        shutil.rmtree(aside) if os.path.isdir(aside) else os.unlink(aside)
    except OSError:
        return False  # another collection was faster, or the folder is read-only
    return True


def _files(folder: str) -> tuple[list[tuple[str, os.stat_result]], bool]:
    """Files two levels down, sorted, without those that vanish meanwhile; and whether every folder could be listed."""
    found: list[tuple[str, os.stat_result]] = []
    shards, complete = _names(folder)
    for shard in shards:
        names, listed = _names(os.path.join(folder, shard))
        complete = complete and listed
        for name in names:
            path = os.path.join(folder, shard, name)
            with contextlib.suppress(OSError):
                found.append((path, os.stat(path, follow_symlinks=False)))
    return found, complete


def _names(folder: str) -> tuple[list[str], bool]:
    try:
        return sorted(os.listdir(folder)), True
    except (FileNotFoundError, NotADirectoryError):
        return [], True
    except OSError:
        return [], False
