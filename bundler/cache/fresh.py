"""The no-change check: is what the last build emitted still what this config would give?

A record of the last build names every file it read and wrote, the versions of all tools, and the evaluated config. A
file is believed to be unchanged by its fingerprint; where that differs or is racy (`fingerprint`) the content decides.
The check errs to one side only: it may find a build stale that is not, never the reverse.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from .. import __version__
from ..config.schema import BuildConfig
from . import atomic, fingerprint, location, sealed, tools
from .fingerprint import Fingerprint
from .pieces import AFFORDABLE, Piece, of_file, same

if TYPE_CHECKING:
    from .memo import Memo

FORMAT = 1
_KIND = "build"
_UNREADABLE = ("config", "installation", "options")
"""Parts whose values say nothing to a reader."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason`: what made the build stale, empty when it is fresh. `table`, `inputs`: what `record` was given."""

    fresh: bool
    reason: str = ""
    table: Any = None
    inputs: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it was at `seen` (ns). No pieces: its content was too long to digest, its fingerprint must do."""

    print: Fingerprint
    seen: int
    pieces: tuple[Piece, ...]


class Watched:
    """The inputs of one build, looked at before any of them is read. `record` believes in nothing that moved since."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.began = fingerprint.now()
        self._seen = {path: _look(path, self.began) for path in set(paths)}

    def settle(self, path: str, memo: Memo | None) -> _File | None:
        """The file as the build read it; None when it may have changed since."""
        found = fingerprint.of(path)
        if found is None:
            return None
        if path not in self._seen:  # external data: known only once its model was read
            return None if found.racy(self.began) else _File(found, self.began, of_file(path, found, memo))
        seen = self._seen[path]
        if seen is None or seen.print != found:
            return None
        if not found.racy(self.began):
            return _File(found, self.began, of_file(path, found, memo))
        return seen if seen.pieces and same(path, seen.pieces) else None


def check(config: BuildConfig, *, options: str = "") -> Verdict:
    """Whether the last build of this config still stands. Imports nothing heavy; never raises.

    options: what else changes the output, from the command line; the same text as was given to `record`.
    """
    path = record_path(config)
    try:
        value = sealed.load(path, _KIND, FORMAT)
        if value is None:
            return Verdict(False, "first build")
        return _judge(path, value, config, options)
    except (sealed.Damaged, KeyError, TypeError, ValueError, OSError):
        return Verdict(False, "the record of the last build is damaged")


def record(
    config: BuildConfig,
    watched: Watched,
    *,
    inputs: Iterable[str],
    outputs: Mapping[str, str],
    table: Any,
    options: str = "",
    memo: Memo | None = None,
) -> bool:
    """Remembers a successful build. False: it was not remembered, as an input changed while the build ran.

    inputs: absolute paths of every file read. outputs: absolute path of every file emitted, with its sha256.
    table: JSON value that the no-change build shows again. memo: spares reading long inputs once more.
    """
    try:
        read = {path: watched.settle(path, memo) for path in sorted({*inputs, *config.config_inputs})}
        wrote = {path: _emitted(path, digest, watched.began) for path, digest in sorted(outputs.items())}
        if None in read.values() or None in wrote.values():
            forget(config)
            return False
        value = {
            "made": _made(config, options),
            "inputs": {path: _row(file) for path, file in read.items() if file},
            "outputs": {path: _row(file) for path, file in wrote.items() if file},
            "table": table,
        }
        _save(record_path(config), value)
        location.keep_out_of_git(config.root)
        atomic.sweep(location.state_folder(config.root))
    except OSError:
        return False
    return True


def forget(config: BuildConfig) -> None:
    """To be called before a build touches its output folder."""
    with contextlib.suppress(OSError):
        os.unlink(record_path(config))


def record_path(config: BuildConfig) -> str:
    name = hashlib.sha256(os.fsencode(os.path.realpath(config.output.dir))).hexdigest()[:16]
    return os.path.join(location.state_folder(config.root), f"{name}.json")


def _judge(path: str, value: dict[str, Any], config: BuildConfig, options: str) -> Verdict:
    reason = _difference(value["made"], _made(config, options))
    if reason:
        return Verdict(False, reason)
    now = fingerprint.now()
    renewed = False
    for kind, change in (("inputs", "changed"), ("outputs", "was altered or removed")):
        for name, row in value[kind].items():
            after = _examine(name, _parse(row), now, follow=kind == "inputs")
            if after is None:
                return Verdict(False, f"{os.path.relpath(name, config.root)} {change}")
            if after.seen == now:
                value[kind][name] = _row(after)
                renewed = True
    if renewed:
        with contextlib.suppress(OSError):
            _save(path, value)
    return Verdict(True, table=value["table"], inputs=tuple(value["inputs"]))


def _examine(path: str, file: _File, now: int, *, follow: bool) -> _File | None:
    """None: its content changed. With `seen` = `now` when the content had to be compared to tell."""
    found = fingerprint.of(path, follow=follow)
    if found == file.print and not found.racy(file.seen):
        return file
    if found is None or found.size != file.print.size or not file.pieces or not same(path, file.pieces):
        return None
    return _File(found, now, file.pieces)


def _look(path: str, now: int) -> _File | None:
    found = fingerprint.of(path)
    if found is None:
        return None
    digested = found.racy(now) and found.size <= AFFORDABLE
    return _File(found, now, of_file(path, found) if digested else ())


def _emitted(path: str, digest: str, began: int) -> _File | None:
    """As of when the build began: what it wrote since is compared by content once, by the first check."""
    found = fingerprint.of(path, follow=False)
    return None if found is None else _File(found, began, ((0, found.size, digest),))


def _made(config: BuildConfig, options: str) -> dict[str, str]:
    """What the output depends on besides files."""
    evaluated = hashlib.sha256(orjson.dumps(config, option=orjson.OPT_SORT_KEYS)).hexdigest()
    ours = {"mbundle": __version__, "installation": own_stamp(), "config": evaluated, "options": options}
    return ours | tools.interpreter() | tools.versions(tools.BUILD_TOOLS)


def own_stamp() -> str:
    """Changes when a file of mbundle does, so that an upgrade in place or an edit of ours is no "no change"."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sha = hashlib.sha256()
    for folder in (package, os.path.join(os.path.dirname(package), "templates")):
        for path, size, mtime in _files(folder):
            sha.update(f"{path}\0{size}\0{mtime}\n".encode())
    return sha.hexdigest()


def _files(folder: str) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    try:
        items = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError:
        return found
    for item in items:
        if item.is_dir(follow_symlinks=False):
            found += [] if item.name in ("__pycache__", "node_modules") else _files(item.path)
        else:
            status = item.stat(follow_symlinks=False)
            found.append((item.path, status.st_size, status.st_mtime_ns))
    return found


def _difference(before: dict[str, str], after: dict[str, str]) -> str:
    """A phrase for the first part that differs, empty for none."""
    for name in after | before:
        old, new = before.get(name), after.get(name)
        if old != new:
            return f"{name} changed" if name in _UNREADABLE else f"{name} {old} -> {new}"
    return ""


def _row(file: _File) -> list[Any]:
    return [list(file.print), file.seen, file.pieces]


def _parse(row: list[Any]) -> _File:
    found, seen, pieces = row
    return _File(Fingerprint(*found), seen, tuple((at, length, digest) for at, length, digest in pieces))


def _save(path: str, value: Any) -> None:
    sealed.save(path, _KIND, FORMAT, value)
