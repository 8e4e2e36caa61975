"""Run by Python at its start when this folder is in PYTHONPATH: numbers the system calls of threads apart.

strace counts calls for each thread, so that "the third write" is one of every thread that writes, and a fault meant
for the last of them kills the first. Here a thread whose turn it is to change files first makes calls that do nothing,
until it has made more than any thread before it: a number is then reached first by one thread, and for one call.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

ROOM = 16
"""Calls of a kind that a thread may make in a turn that is not the last."""

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}
_nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
_turns = [0]
"""The number of the last turn that a thread took."""
_lock = threading.Lock()
_own = threading.local()


def idle(turns: int) -> None:
    for _ in range(ROOM * turns):
        for call, argument in ((os.mkdir, "/"), (os.unlink, ""), (os.rmdir, ""), (os.fsync, _nowhere)):
            _try(call, argument)
        _try(os.rename, "", "")
        _try(os.write, _nowhere, b"")


def _try(call: Callable[..., object], *arguments: Any) -> None:
    with contextlib.suppress(OSError):
        call(*arguments)


def _take_turn() -> None:
    with _lock:
        _turns[0] += 1
        turn, missing = _turns[0], _turns[0] - getattr(_own, "turn", 0)
    _own.turn, _own.idle = turn, True
    idle(missing)
    _own.idle = False


def _begin(frame: FrameType, event: str, argument: Any) -> None:
    """A thread starts."""
    sys.settrace(None)
    _take_turn()


def _resume(event: str, arguments: tuple[Any, ...]) -> None:
    """A thread changes a file after others had their turns."""
    changes = event in _CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR))
    if changes and not getattr(_own, "idle", False) and getattr(_own, "turn", 0) < _turns[0]:
        _take_turn()


threading.settrace(_begin)
sys.addaudithook(_resume)
