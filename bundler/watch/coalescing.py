"""From a stream of file events to the moments at which a build is worth while. Pure: the caller brings the clock.

A save is many events (truncate, write, write, close; or write beside, rename over), a branch switch is thousands. A
path is settled once it was quiet for as long as the last thing that happened to it asks for: hardly at all after a
writer closed it, long while somebody still has it open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Hint(Enum):
    """What happened to a path; the value is how long it must be quiet after that, in seconds."""

    CLOSED = 0.03
    """Whoever wrote it closed it, or renamed a finished file over it."""
    CREATED = 0.1
    """It is new: moved here whole, or about to be written."""
    SEEN = 0.25
    """It was found to differ by looking, so whether it is still being written is not known."""
    GONE = 0.3
    """Most of what is deleted comes back at once: a checkout, an exporter that starts afresh."""
    WRITTEN = 1.0
    """Somebody writes and has not closed it."""


PATIENCE = 5.0
"""Seconds after which paths that are settled no longer wait for others that are not."""

Look = Callable[[str], Any]
"""What tells a file from its next version, by comparison; None when there is none."""


@dataclass(slots=True)
class _Path:
    due: float
    first: float
    look: Any


@dataclass(slots=True)
class Coalescer:
    """`look` is asked when a path gets an event and again when it seems settled: what still moves is not."""

    look: Look
    _paths: dict[str, _Path] = field(default_factory=dict)

    def add(self, path: str, hint: Hint, now: float) -> None:
        known = self._paths.get(path)
        self._paths[path] = _Path(now + hint.value, known.first if known else now, self.look(path))

    def __bool__(self) -> bool:
        return bool(self._paths)

    def wait(self, now: float) -> float | None:
        """Seconds until `take` may have something; None: not before the next `add`."""
        if not self._paths:
            return None
        last, early = self._due()
        return max(0.0, min(last, max(early, self._first() + PATIENCE)) - now)

    def take(self, now: float) -> dict[str, float]:
        """Settled path -> when its first event came. Empty as long as the wait is not over."""
        for path, one in self._paths.items():
            if one.due <= now and (found := self.look(path)) != one.look:
                one.look, one.due = found, now + Hint.SEEN.value
        if not self._paths or (self._due()[0] > now and self._first() + PATIENCE > now):
            return {}
        settled = {path: one.first for path, one in self._paths.items() if one.due <= now}
        for path in settled:
            del self._paths[path]
        return settled

    def _due(self) -> tuple[float, float]:
        """When the last and the first path may be settled."""
        moments = [one.due for one in self._paths.values()]
        return max(moments), min(moments)

    def _first(self) -> float:
        return min(one.first for one in self._paths.values())
