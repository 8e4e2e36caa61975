"""Another program that works for the build and answers with JSON lines on a pipe of its own.

For what cannot be a child of the fork server, as it runs in another Python. What it prints is kept for the message of
a failure. `process.cancel` and `process.stop` end it with all that it has started, as they do children.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from ..errors import Interrupted

_LOOK = 0.1
"""Seconds between two looks whether it is still wanted."""
_SHOWN = 8192
"""Bytes: the end of what it printed."""

_lock = threading.Lock()
_running: set[int] = set()
"""Process groups."""


@dataclass(frozen=True, slots=True)
class Ended:
    """`code`: exit status, negative for a signal. `log`: the last lines that it printed."""

    code: int
    log: str
    timed_out: bool


def run_program(
    command: Sequence[str],
    told: Callable[[dict[str, Any]], None],
    *,
    folder: str,
    environment: Mapping[str, str],
    wall: float,
    alive: Callable[[], None] = lambda: None,
) -> Ended:
    """Runs `command`, in which "{pipe}" stands for the number of the pipe; `told` gets each object that it sends.

    `alive` is called several times a second and may raise to end it. OSError: it cannot be started.
    """
    reader, writer = os.pipe()
    try:
        with tempfile.TemporaryFile(dir=folder) as log:
            process = _started(
                [part.replace("{pipe}", str(writer)) for part in command], writer, log, folder, environment
            )
            writer = _closed(writer)
            with _known(process):
                timed_out = _heard(reader, told, alive, time.monotonic() + wall)
                if timed_out:
                    _kill(process.pid)
                code = process.wait()
                if process.pid not in _running:
                    raise Interrupted()
            return Ended(code, _tail(log), timed_out)
    finally:
        os.close(reader)
        _closed(writer)


def end_programs() -> None:
    """Kills what runs; whoever waits for it gets Interrupted."""
    with _lock:
        for group in list(_running):
            _kill(group)
        _running.clear()


def _started(
    command: Sequence[str], pipe: int, log: IO[bytes], folder: str, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=folder,
        env=dict(environment),
        pass_fds=(pipe,),
        start_new_session=True,
    )


@contextlib.contextmanager
def _known(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """While open, others can end it; after that neither it nor what it started is left."""
    with _lock:
        _running.add(process.pid)
    try:
        yield
    finally:
        _kill(process.pid)
        process.wait()
        with _lock:
            _running.discard(process.pid)


def _heard(reader: int, told: Callable[[dict[str, Any]], None], alive: Callable[[], None], end: float) -> bool:
    """Until the other side closes the pipe. True: the time was up before."""
    rest = b""
    while time.monotonic() < end:
        alive()
        if not select.select([reader], [], [], _LOOK)[0]:
            continue
        data = os.read(reader, 1 << 16)
        if not data:
            return False
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            told(json.loads(line))
    return True


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM when only a zombie is left
        os.killpg(group, signal.SIGKILL)


def _closed(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return -1


def _tail(log: IO[bytes]) -> str:
    size = log.seek(0, 2)
    log.seek(max(0, size - _SHOWN))
    return log.read().decode(errors="replace").strip()
