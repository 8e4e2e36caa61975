"""A session's events as lines for people: one for each rebuild, which says what caused it and what it came to."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence

from ..errors import printable
from ..report.problems import print_problems
from ..report.style import Style, stderr_style
from ..report.summary import shorten, summary_lines
from ..report.units import duration, plural
from .events import BuildStart, BuildUnchanged, Event, Failed, ModelUpdate

_WIDTH = 80
_STAMP = len("00:00:00 [mbundle] ")


class Lines:
    """Takes events in order; writes to stderr. Not for several sessions."""

    def __init__(self) -> None:
        self._style = stderr_style()
        self._lock = threading.Lock()
        self._cause = ""
        self._failing: tuple[str, ...] = ()
        self._tabled = False

    def headline(self, mode: str) -> None:
        from .. import __version__

        style = self._style
        sys.stderr.write(f"{style.cyan(f'mbundle v{__version__}')} {style.green(f'watching for {mode}...')}\n")

    def event(self, event: Event) -> None:
        if isinstance(event, BuildStart):
            self._cause = _named(event.changed)
        elif isinstance(event, ModelUpdate):
            self._update(event)
        elif isinstance(event, BuildUnchanged):
            self._unchanged(event)
        elif isinstance(event, Failed):
            self._failed(event)

    def line(self, text: str) -> None:
        """One line with the time before it."""
        style = self._style
        with self._lock:
            sys.stderr.write(f"{style.dim(time.strftime('%H:%M:%S'))} {style.cyan('[mbundle]')} {text}\n")
            sys.stderr.flush()

    def _update(self, event: ModelUpdate) -> None:
        if not self._tabled and event.stats:  # the first time the whole table, as `mbundle build` shows it
            self._table(event)
            return
        self._mended()
        self.line(update_text(event, self._cause, self._style))

    def _table(self, event: ModelUpdate) -> None:
        self._tabled = True
        sys.stderr.write("\n".join(summary_lines(event.stats, self._style)) + "\n\n")
        self.line(self._style.dim("watching for changes…"))

    def _unchanged(self, event: BuildUnchanged) -> None:
        self._mended()
        if not self._cause:
            self.line(f"up to date; {self._style.dim('watching for changes…')}")
            self._tabled = True
        else:
            self.line(self._style.dim(f"{shorten(self._cause, 36)}: the output stays as it is"))

    def _mended(self) -> None:
        if self._failing:
            self._failing = ()
            self.line(self._style.green("mended"))

    def _failed(self, event: Failed) -> None:
        codes = tuple(f"{one.code} {one.what}" for one in event.problems)
        if codes == self._failing:
            self.line(self._style.red(f"{shorten(self._cause, 36)}: still failing"))
            return
        self._failing = codes
        if self._cause:
            self.line(self._style.red(f"{shorten(self._cause, 36)}: the build failed; the last good one stays"))
        print_problems(event.problems)


def update_text(event: ModelUpdate, cause: str, style: Style) -> str:
    """ "models/a.onnx → icons/q8 in 1.2 s, 3 cached", within 80 columns."""
    took = f"in {duration(event.seconds)}"
    known = f", {len(event.cached)} cached" if event.cached else ""
    room = _WIDTH - _STAMP - len(took) - len(known) - 4
    what = _few(event.rebuilt) or "no variant rebuilt"
    if len(what) > room // 2:
        what = plural(len(event.rebuilt), "variant") if len(event.rebuilt) > 1 else shorten(what, room // 2)
    cause = shorten(cause, room - len(what))
    return f"{cause} → {style.green(what)} {style.dim(took + known)}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names))


def _named(changed: Sequence[str]) -> str:
    """ "a.onnx", or "a.onnx and 3 more"."""
    if not changed:
        return ""
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return shorten(printable(changed[0], 400), 60 - len(more)) + more
