"""One session builds a project; others that are started for it meanwhile follow it.

`mbundle watch` in a terminal and a bundler's plugin that starts its own would build everything twice into one folder.
So the first holds the lock of `.mbundle/watch/<config and mode>/` and leaves what it tells in a journal there; who
comes later tells the same, and takes over when the first has ended, however it did: the lock goes with its process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator

import orjson

from ..cache.location import WORK_FOLDER
from ..emit.lock import NoLocks, lock_folder
from .events import BuildStart, BuildUnchanged, Event, Failed, ModelUpdate, parse

_LOOK = 0.1
"""Seconds between two looks at the journal."""
_MOST = 1 << 20
"""Bytes of a journal; the next build begins it anew."""
_ENDS = (ModelUpdate, BuildUnchanged, Failed)


class Relay:
    def __init__(self, config_file: str, mode: str) -> None:
        root, name = os.path.split(config_file)
        key = hashlib.sha256(f"{name}\0{mode}".encode()).hexdigest()[:12]
        self._folder = os.path.join(root, WORK_FOLDER, "watch", key)
        self._journal = os.path.join(self._folder, "events.jsonl")
        self._stats = os.path.join(root, WORK_FOLDER, "stats.json")
        self._lock: int | None = None
        self._out: int | None = None
        self._last: Event | None = None
        """How the last build ended."""

    def lead(self) -> bool:
        """Whether this process is the one that builds. Where there can be no lock, everybody does."""
        try:
            os.makedirs(self._folder, exist_ok=True)
            self._lock = lock_folder(self._folder)
        except (OSError, NoLocks):
            return True
        return self._lock is not None

    def begin(self) -> None:
        """A journal of one's own, for those who come; only for who leads."""
        with contextlib.suppress(OSError):
            if self._lock is not None:
                self._out = os.open(self._journal, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
                self._restart()

    def tell(self, event: Event) -> None:
        """Leaves it for those who follow."""
        if self._out is None:
            return
        with contextlib.suppress(OSError):
            if isinstance(event, BuildStart) and os.fstat(self._out).st_size > _MOST:
                self._restart()
            self._write(event.as_json())
        if isinstance(event, _ENDS):
            self._last = event

    def close(self) -> None:
        for descriptor in (self._out, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._out = self._lock = None

    def follow(self, stop: threading.Event) -> Iterator[Event]:
        """What the other tells, from how its last build ended on, to its last word; ends when `stop` is set, or when it
        has ended and `lead` succeeds."""
        lines = _Tail(self._journal)
        yield from _standing(self._parsed(lines.read()))
        led = False
        while not led and not stop.wait(_LOOK):
            led = self.lead()
            yield from self._parsed(lines.read())

    @property
    def leader(self) -> int | None:
        """Process id of the one that builds, as far as it is known."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(self._journal, "rb") as file:
            return int(orjson.loads(file.readline())["pid"])
        return None

    def _restart(self) -> None:
        """From the start; who has not read to the end yet misses no more than what is standing."""
        assert self._out is not None
        os.ftruncate(self._out, 0)
        self._write({"type": "watching", "pid": os.getpid()})
        if self._last is not None:
            self._write(self._last.as_json())

    def _write(self, told: dict[str, object]) -> None:
        assert self._out is not None
        os.write(self._out, orjson.dumps(told) + b"\n")

    def _parsed(self, lines: list[bytes]) -> Iterator[Event]:
        for line in lines:
            event = parse(line, self._stats)
            if event is not None:
                yield event


def _standing(events: Iterator[Event]) -> list[Event]:
    """Of all that was told: the end of the last build, and the build that has begun since."""
    last: Event | None = None
    begun: Event | None = None
    for event in events:
        if isinstance(event, BuildStart):
            begun = event
        elif isinstance(event, _ENDS):
            last, begun = event, None
    return [event for event in (last, begun) if event is not None]


class _Tail:
    """Whole lines that a file has got since the last look; from its start when it was begun anew."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._at = 0
        self._part = b""

    def read(self) -> list[bytes]:
        try:
            with open(self._path, "rb") as file:
                if os.fstat(file.fileno()).st_size < self._at:
                    self._at, self._part = 0, b""
                file.seek(self._at)
                found = self._part + file.read()
                self._at = file.tell()
        except OSError:
            return []
        *lines, self._part = found.split(b"\n")
        return lines
