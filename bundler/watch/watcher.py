"""Tells which of some files changed: by events from the system, and by looking at all of them every two seconds.

The looking is no mere fallback: no event comes for what happens on a network drive, behind a bind mount, or in a folder
that was replaced before we noticed. What events add is that it is known at once. Fingerprints decide in both cases,
so reading a file, which gives events too, changes nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from ..cache import fingerprint
from .coalescing import Hint
from .places import listing, trail
from .system import Observer, Unwatchable

LOOK_EVERY = 2.0
"""Seconds, beside events."""
POLL_EVERY = 0.3
"""Seconds, instead of events."""


def look(path: str) -> Any:
    """What tells the file, or the names in the folder, from its next version; None when nothing is there."""
    return fingerprint.of(path) or listing(path)


class Watcher:
    """A context. `changed` is called from threads of this object, with a path as it was given to `watch`.

    `told` gets one line for people, once, when events cannot be had and everything is polled.
    """

    def __init__(
        self, root: str, changed: Callable[[str, Hint], None], told: Callable[[str], None], *, poll: bool = False
    ) -> None:
        self._root, self._changed, self._told = root, changed, told
        self._lock = threading.RLock()
        self._seen: dict[str, Any] = {}
        self._names: dict[str, set[str]] = {}
        """Real name -> the watched paths that lead over it."""
        self._folders: dict[str, set[str]] = {}
        """Real folder -> the watched folders that are it."""
        self._stop = threading.Event()
        self._observer: Observer | None = None
        if not poll:
            try:
                self._observer = Observer(self._event)
            except Unwatchable as error:
                self._give_up(error)
        self._looker = threading.Thread(target=self._keep_looking, name="look", daemon=True)

    def __enter__(self) -> Watcher:
        self._looker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._looker.join()
        if self._observer is not None:
            self._observer.stop()

    @property
    def polls(self) -> bool:
        return self._observer is None

    def watch(self, paths: Iterable[str]) -> None:
        """From now on these files and folders, and no others. New ones count as seen as they are now."""
        with self._lock:
            self._seen = {path: self._seen[path] if path in self._seen else look(path) for path in set(paths)}
            self._follow()

    def _follow(self) -> None:
        """Finds the real names anew: links and folders may lead elsewhere by now. Only events come by them."""
        if self._observer is None:
            return
        with self._lock:
            names: dict[str, set[str]] = {}
            folders: dict[str, set[str]] = {}
            for path in self._seen:
                for name in trail(path, self._root):
                    names.setdefault(name, set()).add(path)
                if os.path.isdir(path):
                    folders.setdefault(os.path.realpath(path), set()).add(path)
            self._names, self._folders = names, folders
            if self._observer is None:  # another thread has given up
                return
            try:
                self._observer.watch({os.path.dirname(name) for name in names} | folders.keys())
            except Unwatchable as error:
                self._give_up(error)

    def _give_up(self, error: Unwatchable) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:  # not here: this may be a thread of its own
            threading.Thread(target=observer.stop, name="unwatch", daemon=True).start()
        self._told(f"polling every {POLL_EVERY:g} s, as file events cannot be had: {error}")

    def _event(self, name: str, hint: Hint) -> None:
        names, folders = self._names, self._folders
        for path in sorted(names.get(name, set()) | folders.get(os.path.dirname(name), set())):
            self._compare(path, hint)

    def _compare(self, path: str, hint: Hint) -> None:
        """Whatever says that `path` may have changed: it did if it is another file than was seen last.

        A young file may have changed with the same fingerprint (`fingerprint`): an event is believed then.
        """
        found = look(path)
        with self._lock:
            if path not in self._seen:
                return
            young = isinstance(found, fingerprint.Fingerprint) and found.racy(fingerprint.now())
            if self._seen[path] == found and not (young and hint is not Hint.SEEN):
                return
            self._seen[path] = found
        self._changed(path, Hint.GONE if found is None else hint)

    def _keep_looking(self) -> None:
        while not self._stop.wait(POLL_EVERY if self.polls else LOOK_EVERY):
            for path in list(self._seen):
                self._compare(path, Hint.SEEN)
            self._follow()
