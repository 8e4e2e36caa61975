"""Events of the system, through watchdog: which name in which folder was written, made, replaced or removed.

Watched are folders, never files (an atomic save replaces the file that was watched) and never trees (one holds our own
output and node_modules). A folder that was deleted and made again has a dead emitter while `observer.is_alive()`, so
each is known by its inode and scheduled anew when that differs.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer as _System

from .coalescing import Hint

MOST_FOLDERS = 100
"""watchdog keeps a thread for each."""

_HINTS = {
    "closed": Hint.CLOSED,
    "moved": Hint.CLOSED,
    "attrib": Hint.CLOSED,
    "created": Hint.CREATED,
    "deleted": Hint.GONE,
    "modified": Hint.WRITTEN,
}
"""`opened` and `closed_no_write` are missing: our own reading gives them."""


class Unwatchable(Exception):
    """The system gives no (more) events; the argument says why."""


class Observer(FileSystemEventHandler):
    """`event` gets (real name, hint) in a thread of watchdog's."""

    def __init__(self, event: Callable[[str, Hint], None]) -> None:
        self._event = event
        self._folders: dict[str, tuple[tuple[int, int], Any]] = {}
        """Folder -> its device and inode when it was scheduled, and watchdog's watch."""
        try:
            self._system = _System()  # asks for its inotify instance here, or where it schedules the first folder
            self._system.start()
        except OSError as error:
            raise Unwatchable(explain(error)) from error

    def watch(self, folders: Iterable[str]) -> bool:
        """From now on these folders, and no others; those that do not exist are left out. Whether any is new.

        Raises Unwatchable when one cannot be watched."""
        there = {folder: identity for folder in folders if (identity := _identity(folder)) is not None}
        if len(there) > MOST_FOLDERS:
            raise Unwatchable(f"the files lie in {len(there)} folders")
        for folder, (identity, watch) in list(self._folders.items()):
            if there.get(folder) != identity:
                del self._folders[folder]
                with contextlib.suppress(KeyError, OSError):
                    self._system.unschedule(watch)
        new = {folder: identity for folder, identity in there.items() if folder not in self._folders}
        for folder, identity in new.items():
            self._schedule(folder, identity)
        return bool(new)

    def _schedule(self, folder: str, identity: tuple[int, int]) -> None:
        try:
            self._folders[folder] = identity, self._system.schedule(self, folder)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):  # gone again: the next look finds out
                raise Unwatchable(explain(error)) from error

    def stop(self) -> None:
        self._system.stop()
        self._system.join()

    def dispatch(self, event: FileSystemEvent) -> None:
        hint = _HINTS.get(event.event_type)
        if hint is None or (event.is_directory and hint is Hint.WRITTEN):  # told of a folder after each event in it
            return
        if event.event_type == "moved":
            self._event(os.fsdecode(event.src_path), Hint.GONE)
        self._event(os.fsdecode(event.dest_path or event.src_path), hint)


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def explain(error: OSError) -> str:
    """Why the system gives no events, in words that lead to the mending: inotify's limits come as ENOSPC and EMFILE."""
    if error.errno == errno.ENOSPC:
        return "the limit fs.inotify.max_user_watches is reached"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "the limit fs.inotify.max_user_instances, or that of open files, is reached"
    return error.strerror or str(error)
