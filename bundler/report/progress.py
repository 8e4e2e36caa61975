"""What happens now: one redrawn line on a terminal, a line every few seconds elsewhere. Always on stderr.

Also the stopwatch of the build: every span becomes an event of the trace that `--profile` writes.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import printable
from .style import is_live, stderr_style
from .units import duration

_HEARTBEAT = 5.0
_REDRAW = 0.1


@dataclass(frozen=True, slots=True)
class Span:
    """`start` and `seconds` on the monotonic clock, relative to the start of the process's build."""

    name: str
    start: float
    seconds: float
    thread: str


class Progress:
    """Thread-safe. `quiet` silences people's output; spans are kept all the same."""

    def __init__(self, quiet: bool = False) -> None:
        self.spans: list[Span] = []
        self.origin = time.monotonic()
        self._style = stderr_style()
        self._quiet = quiet
        self._live = not quiet and is_live(sys.stderr)
        self._active: dict[int, tuple[str, float]] = {}
        self._keys = itertools.count()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        if not self._quiet:
            self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._ticker.is_alive():
            self._ticker.join()
        self._clear()

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Times a block and shows `name` while it runs."""
        started, key = time.monotonic(), next(self._keys)
        with self._lock:
            self._active[key] = (name, started)
        try:
            yield
        finally:
            ended = time.monotonic()
            with self._lock:
                del self._active[key]
                thread = threading.current_thread().name
                self.spans.append(Span(name, started - self.origin, ended - started, thread))

    @contextmanager
    def steps(self, name: str) -> Iterator[Callable[[str], None]]:
        """A span that tells by itself how far it is: each text that it is given is a span inside it."""
        with self.span(name), ExitStack() as stack:

            def tell(text: str) -> None:
                stack.close()
                stack.enter_context(self.span(f"{name}: {text}"))

            yield tell

    def alive(self) -> None:
        """Called between any two things that take time. A build that can be broken off raises Interrupted here."""

    def elapsed(self) -> float:
        """Seconds since the build began, to the millisecond."""
        return round(time.monotonic() - self.origin, 3)

    def line(self, text: str = "") -> None:
        """One permanent line for people."""
        if self._quiet:
            return
        with self._lock:
            self._clear()
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def trace(self) -> dict[str, Any]:
        """The spans in the Trace Event Format, which Chrome's and Perfetto's viewers open. Times in µs."""
        names = sorted({span.thread for span in self.spans})
        events: list[dict[str, Any]] = [
            {"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": name}}
            for tid, name in enumerate(names)
        ]
        for span in sorted(self.spans, key=lambda span: span.start):
            times = {"ts": round(span.start * 1e6), "dur": round(span.seconds * 1e6)}
            events.append({"ph": "X", "pid": 1, "tid": names.index(span.thread), "name": span.name, **times})
        return {"traceEvents": events, "displayTimeUnit": "ms"}

    def _tick(self) -> None:
        while not self._stop.wait(_REDRAW if self._live else _HEARTBEAT):
            with self._lock:
                if self._active:
                    self._draw(*max(self._active.values(), key=lambda item: item[1]))

    def _draw(self, name: str, started: float) -> None:
        text = f"  {printable(name, 60)} {duration(time.monotonic() - started)}"
        sys.stderr.write(f"\r\x1b[2K{self._style.dim(text)}" if self._live else f"{text}\n")
        sys.stderr.flush()

    def _clear(self) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
