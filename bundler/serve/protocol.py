"""uvicorn's h11 protocol with two limits that it lacks: how long a head may take, how many may be connected.

And without Nagle's algorithm: head and body are two writes, and the second would wait for the client's delayed
acknowledgement of the first (measured: 46 ms for each small file of a page). asyncio turns it off only for sockets that
name their protocol, which those of `socket.create_server` do not.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD_SECONDS = 10.0
_MOST = 256
"""Connections; a browser opens six."""


class Protocol(H11Protocol):
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        with contextlib.suppress(OSError):  # gone already
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > _MOST:
            transport.abort()
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._late:
            self._late.cancel()

    def _watch(self) -> None:
        """The clock runs from the first byte of a head (or the connection) to its last, however slowly they drip."""
        waiting = self.conn.their_state is h11.IDLE
        if waiting and self._late is None:
            self._late = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)
        elif not waiting and self._late:
            self._late.cancel()
            self._late = None
