"""The fork server: a single-threaded process with the heavy libraries imported, which forks one child per task.

Why not multiprocessing's: up to 3.12 it ignores the parent's sys.path when it preloads (silently, so nothing is
preloaded), every child runs the user's `__main__` again, a third process (the resource tracker) stays resident, and
its children outlive a killed parent. Here the life of a child hangs on one socket: when the build closes its end, or
dies, the server kills the child's process group and removes its folder. A group is killed while its leader is still
a zombie, so that a recycled process id is never hit.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import shutil
import signal
import socket
from dataclasses import dataclass
from typing import Any

from . import wire
from .child import run_child


@dataclass
class _Job:
    control: socket.socket
    folder: str


class _Server:
    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._jobs: dict[int, _Job] = {}
        self._closing = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(link, selectors.EVENT_READ, self._command)
        self._wake = self._wake_on_child_exit()

    def _wake_on_child_exit(self) -> tuple[int, int]:
        reader, writer = os.pipe()
        for fd in (reader, writer):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._selector.register(reader, selectors.EVENT_READ, self._reap)
        return reader, writer

    def serve(self) -> None:
        """Until the build is gone and the last child is buried."""
        while self._jobs or not self._closing:
            for key, _ in self._selector.select():
                key.data()

    def _command(self) -> None:
        try:
            message, fds = wire.receive(self._link, 3)
        except ConnectionError:
            message, fds = None, []
        if message is None:
            self._close()
        elif "import" in message:
            _preload(message["import"])
        else:
            self._start(message, fds)

    def _close(self) -> None:
        self._closing = True
        self._selector.unregister(self._link)
        for pid in list(self._jobs):
            _kill_group(pid)

    def _start(self, message: dict[str, Any], fds: list[int]) -> None:
        control, files = socket.socket(fileno=fds[0]), fds[1:]
        try:
            os.mkdir(message["folder"], 0o700)
            self._fork(_Job(control, message["folder"]), files)
        except OSError as error:
            _tell(control, {"error": str(error)})
        for fd in files:
            os.close(fd)

    def _fork(self, job: _Job, files: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                self._close_inherited(job.control)
                exchange, log = files
                run_child(exchange, log, job.folder)
            finally:
                os._exit(70)
        self._jobs[pid] = job
        self._selector.register(job.control, selectors.EVENT_READ, lambda: self._abandon(pid))

    def _close_inherited(self, control: socket.socket) -> None:
        """In the child: it must not hold sockets open whose closing means something to others."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for end in (self._link, control, *(job.control for job in self._jobs.values())):
            end.close()
        for fd in self._wake:
            os.close(fd)

    def _abandon(self, pid: int) -> None:
        self._selector.unregister(self._jobs[pid].control)
        _kill_group(pid)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake[0], 4096)
        while self._jobs:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            self._bury(ended.si_pid)

    def _bury(self, pid: int) -> None:
        _kill_group(pid)
        _, status, usage = os.wait4(pid, 0)
        job = self._jobs.pop(pid, None)
        if job is None:
            return
        shutil.rmtree(job.folder, ignore_errors=True)
        with contextlib.suppress(KeyError):
            self._selector.unregister(job.control)
        code = os.waitstatus_to_exitcode(status)
        _tell(job.control, {"code": code, "cpu": usage.ru_utime + usage.ru_stime})


def _kill_group(pid: int) -> None:
    """The child may not have called setsid yet: then there is no such group, and the child itself is the target."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _tell(control: socket.socket, status: dict[str, Any]) -> None:
    with control, contextlib.suppress(OSError):
        wire.send(control, status)


def _preload(modules: list[str]) -> None:
    for module in modules:
        with contextlib.suppress(Exception):  # whoever needs it imports it again and reports
            importlib.import_module(module)
    gc.collect()
    gc.freeze()  # children share these pages as long as no collection writes to their headers


def main(fd: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Server(socket.socket(fileno=fd)).serve()
