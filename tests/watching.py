"""`mbundle watch --json` as a program, and what it says."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .cli import command, environment

Event = dict[str, Any]
PATIENCE = 90.0
ENDS = ("model-update", "build-unchanged", "error")


class Watch:
    """The events so far, by a thread that reads them."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.patience = PATIENCE
        """Seconds."""
        self.events: list[Event] = []
        self.stderr = ""
        """All of it, once it has ended."""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()

    def until(self, true: Callable[[list[Event]], Any], what: str) -> Any:
        """Waits until `true` of the events is something, and returns it."""
        end = time.monotonic() + self.patience
        with self._news:
            while not (found := true(self.events)):
                left = end - time.monotonic()
                if left <= 0 or self.process.poll() is not None:
                    told = [event for event in self.events if event["type"] != "progress"]
                    raise AssertionError(f"no {what}; status {self.process.poll()}, told: {told}")
                self._news.wait(min(left, 0.1))  # it may be about a file
        return found

    def after(self, mark: int, kind: str) -> Event:
        """The first event of that type after the first `mark` events."""
        found: Event = self.until(lambda all: next((e for e in all[mark:] if e["type"] == kind), None), kind)
        return found

    def mark(self) -> int:
        return len(self.events)

    def settled(self, quiet: float = 1.5) -> None:
        """Waits until no build runs and none has begun for a while."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            seen = self.mark()
            self.until(lambda all: [e for e in all if e["type"] != "progress"][-1]["type"] in ENDS, "end of a build")
            time.sleep(quiet)
            if seen == self.mark():
                return
        raise AssertionError(f"it never settles: {self.events[-20:]}")

    def starts(self, mark: int = 0) -> list[Event]:
        return [event for event in self.events[mark:] if event["type"] == "build-start"]


@contextmanager
def watching(
    project: Path, *arguments: str, ends: int = 0, under: Sequence[str] = (), **changes: str
) -> Iterator[Watch]:
    """It is ended by closing its stdin, which has to do, and leaves no process of its own. `ends`: its exit status;
    `under`: the start of a command line that it is to be run by.
    """
    process = subprocess.Popen(
        [*under, *command("watch", "--json", "--exit-with-stdin", *arguments)],
        cwd=project,
        env=environment(**changes),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    watch = Watch(process)
    try:
        watch.until(lambda all: any(event["type"] in ENDS for event in all), "first build")
        yield watch
    finally:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.close()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
            watch.stderr = process.stderr.read().decode()
            process.stderr.close()
            watch._reader.join(10)
            assert process.stdout is not None
            process.stdout.close()
    assert process.returncode == ends
