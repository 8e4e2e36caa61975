"""Single keys of a terminal, as in Vite; where the standard input is none, nothing is read."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

_POLL = 0.2


class Keys:
    """While the block runs, a key (or a key and Enter) calls what `table` has for it: key -> (words, function)."""

    def __init__(self, table: Mapping[str, tuple[str, Callable[[], None]]]) -> None:
        self._table = table
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._before: list[Any] | None = None

    def __enter__(self) -> Keys:
        if sys.stdin and sys.stdin.isatty() and _foreground():
            self._prepare()
            self._thread = threading.Thread(target=self._read, name="keys", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self._before is not None:
            import termios

            termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    def _prepare(self) -> None:
        """Keys come one by one and are not shown; Ctrl-C stays a signal."""
        with contextlib.suppress(ImportError, OSError):
            import termios

            self._before = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(0, termios.TCSADRAIN, mode)

    def _read(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError):
                if not select.select([0], [], [], _POLL)[0]:
                    continue
            try:
                data = os.read(0, 64)
            except OSError:
                return
            if not data:
                return
            for key in data.decode(errors="ignore"):
                if key in self._table:
                    self._table[key][1]()


def _foreground() -> bool:
    """A background job that reads its terminal is stopped by the system."""
    try:
        return os.getpgrp() == os.tcgetpgrp(0)
    except (AttributeError, OSError):
        return False
