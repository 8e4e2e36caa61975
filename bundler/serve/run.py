"""Starts and stops a site: uvicorn with h11 in a thread of its own, on 127.0.0.1 unless told otherwise.

with serving(Site("dist")) as running:
    page.goto(running.url)
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from ..catalogue import problem
from ..errors import UsageError
from .protocol import Protocol

LOCAL = "127.0.0.1"
_TRIES = 50
_HEADER_BYTES = 32 << 10
_START = 30.0


class Running:
    """A server at work. `url` ends with a slash; `port` is the one that was got."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        host, self.port = listening.getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"
        self._socket = listening
        self._server = _Server(_config(app))
        self._thread = threading.Thread(target=self._run, name="serve", daemon=True)
        self._failed: BaseException | None = None

    def start(self) -> None:
        self._thread.start()
        self._server.ready.wait(_START)
        if self._failed:
            raise self._failed

    def stop(self) -> None:
        """Answers that are under way get a second."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as error:
            self._failed = error
        finally:
            self._server.ready.set()


@contextlib.contextmanager
def serving(app: ASGIApp, host: str = LOCAL, port: int = 0, *, strict: bool = True) -> Iterator[Running]:
    """Serves `app` while the block runs. `port` 0: any; `strict`: no other one will do. UsageError MB650, MB651."""
    running = Running(app, listen(host, port, strict=strict))
    running.start()
    try:
        yield running
    finally:
        running.stop()


def listen(host: str, port: int, *, strict: bool) -> socket.socket:
    """A listening socket at `port`, or, unless `strict`, at the next one that is free. UsageError MB650, MB651."""
    tries = 1 if strict or port == 0 else _TRIES
    for candidate in range(port, min(port + tries, 1 << 16)):
        try:
            return socket.create_server((host, candidate), family=_family(host), backlog=128)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UsageError(
                    problem("MB651", f"{host}:{candidate} cannot be listened on: {error.strerror}.")
                ) from error
    raise UsageError(
        problem("MB650", f"Port {port}{'' if tries == 1 else f' to {port + tries - 1}'} of {host} is taken.")
    )


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _config(app: ASGIApp) -> uvicorn.Config:
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False  # what strangers send is no news for the terminal
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )


class _Server(uvicorn.Server):
    """Tells when it is ready, and leaves the signals to the command line."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
