"""`run`: one function call in a child of its own."""

from __future__ import annotations

import contextlib
import os
import pickle
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable
from typing import IO, Any

from ..catalogue import problem
from ..errors import Interrupted, OutputError
from . import verdict, wire
from .child import UNWRITTEN, Reply, Task
from .client import Client
from .limits import Limits
from .program import end_programs

_client = Client()

LOG_SHOWN = 4096
"""Bytes: the end of what a child printed, shown when it fails."""


def warm(modules: tuple[str, ...] = ()) -> None:
    """Start the fork server and let it import `modules` while the caller does other things."""
    _client.warm(modules)


def stop() -> None:
    """Kill every running child and the server, and wait for them. Runs at interpreter exit too."""
    end_programs()
    _client.stop()


def cancel() -> None:
    """Kill every running child, and wait for none: who ran it gets Interrupted. The server stays for the next build."""
    end_programs()
    _client.cancel()


def run(
    target: str,
    *args: Any,
    limits: Limits | None = None,
    label: str = "",
    tmp: str | None = None,
    printed: Callable[[str], None] | None = None,
) -> Any:
    """What `target` ("package.module:function") returns for `args`, called in a child process under `limits`.

    `label` names the work in messages ("simplify icons/q8"). `tmp`: folder in which the child's working folder is made
    (it is removed afterwards). `printed` gets what the child wrote to stdout and stderr, if anything.
    MbundleErrors of the child are raised as they are; everything else that can happen to it is a StepError.
    """
    limits, folder = limits or Limits(), tmp or tempfile.gettempdir()
    try:
        return _run(Task(target, args, limits), label or target, folder, printed)
    except OSError as error:
        what = f"{label or target} cannot be run: {error.strerror}."
        raise OutputError(problem("MB309", what, file=folder, step=label)) from error


def _run(task: Task, label: str, folder: str, printed: Callable[[str], None] | None) -> Any:
    limits = task.limits
    with _exchange(task, folder) as exchange, _scratch_file(folder) as log:
        status, timed_out = _supervised(exchange, log, folder, limits.wall)
        if printed is not None and (text := _tail(log)):
            printed(text)
        end = verdict.End(status.get("code"), status.get("cpu", 0.0), timed_out, _tail(log))
        if end.code == UNWRITTEN:
            raise OutputError(problem("MB309", f"{label} has no room for its result.", file=folder, step=label))
        return _result(exchange, end, label, limits)


def _exchange(task: Task, tmp: str) -> IO[bytes]:
    """A file that holds the task and will hold the reply."""
    exchange = _scratch_file(tmp)
    try:
        pickle.dump(task, exchange, pickle.HIGHEST_PROTOCOL)
        exchange.flush()
        exchange.seek(0)
    except OSError as error:
        with contextlib.suppress(OSError):  # closing tries to write once more
            exchange.close()
        raise _no_room(error, tmp) from error
    return exchange


def _scratch_file(tmp: str) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=tmp)
    except OSError as error:
        raise _no_room(error, tmp) from error


def scratch_folder(prefix: str, tmp: str) -> str:
    """A new empty folder in `tmp`, which is one that goes with the build. OutputError MB309."""
    try:
        return tempfile.mkdtemp(prefix=prefix, dir=tmp)
    except OSError as error:
        raise _no_room(error, tmp) from error


def _no_room(error: OSError, tmp: str) -> OutputError:
    return OutputError(problem("MB309", f"nothing could be written in {tmp}: {error.strerror}"))


def _supervised(exchange: IO[bytes], log: IO[bytes], tmp: str, wall: float) -> tuple[dict[str, Any], bool]:
    """The child's status frame, and whether the wall clock ended it. Whatever happens here, the child is gone after."""
    stops = _client.stops
    folder = os.path.join(tmp, f"mbundle-{secrets.token_hex(6)}")
    with _client.submit(exchange.fileno(), log.fileno(), folder) as control:
        try:
            status, timed_out = _awaited(control, wall)
        finally:
            _client.forget(control)
    if not status:  # the server, whose task this is, was killed
        shutil.rmtree(folder, ignore_errors=True)
    if _client.stops != stops:
        raise Interrupted()
    if "error" in status:
        raise OutputError(problem("MB309", f"no working folder could be made in {tmp}: {status['error']}"))
    return status, timed_out


def _awaited(control: socket.socket, wall: float) -> tuple[dict[str, Any], bool]:
    try:
        control.settimeout(wall)
        return _status(control), False
    except TimeoutError:
        return _killed(control), True
    except BaseException:
        _killed(control)
        raise


def _status(control: socket.socket) -> dict[str, Any]:
    try:
        return wire.receive(control)[0] or {}
    except ConnectionError:
        return {}


def _killed(control: socket.socket) -> dict[str, Any]:
    """Half-closing tells the server to kill; its status frame says that it has."""
    control.shutdown(socket.SHUT_WR)
    control.settimeout(10)
    try:
        return _status(control)
    except TimeoutError:
        return {}


def _result(exchange: IO[bytes], end: verdict.End, label: str, limits: Limits) -> Any:
    if end.timed_out or end.code != 0:
        raise verdict.failure(label, limits, end)
    exchange.seek(0)
    data = exchange.read()
    if not data:
        raise verdict.failure(label, limits, end)
    reply: Reply = pickle.loads(data)
    if reply.error is not None:
        raise reply.error
    if reply.raised is not None:
        raise verdict.raised(label, limits, reply.raised)
    return reply.value


def _tail(log: IO[bytes]) -> str:
    size = log.seek(0, 2)
    log.seek(max(0, size - LOG_SHOWN))
    return log.read().decode(errors="replace").strip()
