"""The build's end of the fork server: start it once, hand it tasks, stop it."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading

from . import wire

_BOOT = "import sys; sys.path[:] = {path!r}; from bundler.process.server import main; main({fd})"


class Client:
    """Thread-safe. The server starts with the first need of it and imports while the build does other things."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._owner = 0
        self._preloaded: set[str] = set()
        self._running_tasks: set[socket.socket] = set()
        self.stops = 0
        """How often `stop` or `cancel` was called: a task that sees it change was interrupted."""

    def warm(self, modules: tuple[str, ...]) -> None:
        with self._lock:
            link = self._running()
            new = [module for module in modules if module not in self._preloaded]
            if new:
                self._preloaded.update(new)
                wire.send(link, {"import": new})

    def submit(self, exchange: int, log: int, folder: str) -> socket.socket:
        """The task's control socket: closing it kills the child; one status frame comes when the child is gone.

        `folder`: made for the child, and removed after it.
        """
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                wire.send(self._running(), {"folder": folder}, (theirs.fileno(), exchange, log))
            except OSError:  # the server was killed: a new one, once
                self._forget()
                wire.send(self._running(), {"folder": folder}, (theirs.fileno(), exchange, log))
            self._running_tasks.add(ours)
        return ours

    def forget(self, control: socket.socket) -> None:
        """The task of this control socket is over."""
        with self._lock:
            self._running_tasks.discard(control)

    def cancel(self) -> None:
        """Kill all children; the server stays. Their tasks raise Interrupted once they are gone."""
        with self._lock:
            self.stops += 1
            for control in self._running_tasks:
                with contextlib.suppress(OSError):  # half-closed: the server kills, and says when it has
                    control.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        """Kill all children, wait until they and the server are gone. Tasks that still ran raise Interrupted."""
        with self._lock:
            self.stops += 1
            self._forget()

    def _running(self) -> socket.socket:
        alive = self._process is not None and self._process.poll() is None and self._owner == os.getpid()
        if not alive or self._link is None:
            self._forget()
            self._link = self._start()
        return self._link

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        path = [os.path.abspath(entry) for entry in sys.path]
        # A fixed hash seed: libraries that iterate over sets write the same bytes in every build.
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT.format(path=path, fd=theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is the build's to handle
                env=environment,
            )
        self._owner = os.getpid()
        atexit.register(self.stop)
        return ours

    def _forget(self) -> None:
        process, link = self._process, self._link
        self._process = self._link = None
        self._preloaded.clear()
        if link is not None:
            link.close()
        if process is None or self._owner != os.getpid():
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.returncode is None:
            process.kill()
            process.wait()
        atexit.unregister(self.stop)
