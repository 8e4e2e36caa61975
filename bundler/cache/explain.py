"""Why a step ran again: its key's parts against those of the nearest earlier key of the same step.

The history is one small file in the cache. Builds that end at the same moment may lose each other's rows; all that is
lost with them is an explanation.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .keys import CODE, CONTEXT, FILE, LOADER, MODEL, OPTION, SOURCE, TOOL, VERSION, Key
from .store import Store

FILE_NAME = "history.json"
_KIND = "history"
_ROWS_PER_STEP = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One step of one build. `build`: when it began, seconds since the epoch. `hit`: its result came from the cache."""

    build: float
    entry: str
    variant: str
    index: int
    loader: str
    key: str
    parts: Mapping[str, str]
    hit: bool

    @property
    def step(self) -> tuple[str, str, str]:
        return (self.entry, self.variant, self.loader)


@dataclass(frozen=True, slots=True)
class Reason:
    """What the last build did with a step, and why. `reasons` are whole phrases, the most telling first."""

    entry: str
    variant: str
    index: int
    loader: str
    hit: bool
    build: float
    reasons: tuple[str, ...]


class History:
    """What the steps of one build were, added to what earlier builds left."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._build = time.time()
        self._rows: list[Row] = []

    def note(self, entry: str, variant: str, index: int, loader: str, key: Key, *, hit: bool) -> None:
        """index: position in the chain, from 0. Threads may call this."""
        self._rows.append(Row(self._build, entry, variant, index, loader, key.hex, key.parts, hit))

    def save(self) -> None:
        """Never fails a build."""
        if self._rows:
            rows = _trim([*read(self._store), *self._rows])
            self._store.put_record(FILE_NAME, _KIND, [_as_json(row) for row in rows])


def read(store: Store) -> list[Row]:
    """All rows, oldest first; none where the file is damaged."""
    value = store.get_record(FILE_NAME, _KIND)
    try:
        return [Row(**row) for row in value] if isinstance(value, list) else []
    except TypeError:
        return []


def why(rows: Sequence[Row], entry: str, variant: str | None = None) -> list[Reason]:
    """One Reason for each step of the last build of the entry, in chain order; none: no build is known."""
    mine = [row for row in rows if row.entry == entry and variant in (None, row.variant)]
    last: dict[str, float] = {}
    for row in mine:
        last[row.variant] = max(row.build, last.get(row.variant, 0.0))
    return [
        Reason(row.entry, row.variant, row.index, row.loader, row.hit, row.build, _reasons(row, mine))
        for row in sorted(mine, key=lambda row: (row.variant, row.index))
        if row.build == last[row.variant]
    ]


def _reasons(row: Row, rows: Iterable[Row]) -> tuple[str, ...]:
    before = [other for other in rows if other.step == row.step and other.build < row.build]
    if row.hit:
        return ("nothing that it depends on changed",)
    if any(other.key == row.key for other in before):
        return ("its result was no longer in the cache",)
    if not before:
        return ("first build of this step",)
    nearest = min(before, key=lambda other: (len(_changed(other.parts, row.parts)), -other.build))
    return differences(nearest.parts, row.parts, first=row.index == 0)


def differences(before: Mapping[str, str], after: Mapping[str, str], *, first: bool = True) -> tuple[str, ...]:
    """A phrase for each part that differs, the user's own changes before those of tools.

    first: whether the step is the first of its chain, so that its input is the source model.
    """
    changed = sorted(_changed(before, after), key=lambda name: (_rank(name), name))
    loader = after.get(LOADER, "")
    phrases = (_phrase(name, before.get(name), after.get(name), loader, first) for name in changed)
    return tuple(dict.fromkeys(phrases))


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]


_ORDER = (OPTION, CODE, FILE, SOURCE, MODEL, CONTEXT, VERSION, TOOL)


def _rank(name: str) -> int:
    return next((rank for rank, prefix in enumerate(_ORDER) if name.startswith(prefix)), len(_ORDER))


def _phrase(name: str, old: str | None, new: str | None, loader: str, first: bool) -> str:
    if name == SOURCE or (name == MODEL and first):
        return "source model changed"
    if name == MODEL:
        return "the step before gave another model"
    if name == CODE:
        return f"{loader}: its code changed"
    if name.startswith(FILE):
        change = "changed" if old and new else "is read now" if new else "is no longer read"
        return f"{name.removeprefix(FILE)} {change}"
    change = f"{old or '(none)'} -> {new or '(none)'}"
    if name.startswith(TOOL):
        return f"{name.removeprefix(TOOL)} {change}"
    if name.startswith(OPTION):
        return f"{loader}: {name.removeprefix(OPTION)} {change}"
    return f"{name.removeprefix(CONTEXT)} {change}"


def _trim(rows: Sequence[Row]) -> list[Row]:
    """The newest rows of each step. Of equal ones only two stay, so that many hits do not push earlier edits out."""
    kept: list[Row] = []
    seen: dict[tuple[str, str, str], list[tuple[str, bool]]] = {}
    for row in sorted(rows, key=lambda row: row.build, reverse=True):
        known = seen.setdefault(row.step, [])
        if len(known) < _ROWS_PER_STEP and known.count((row.key, row.hit)) < 2:
            known.append((row.key, row.hit))
            kept.append(row)
    return kept[::-1]


def _as_json(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Row.__slots__}
