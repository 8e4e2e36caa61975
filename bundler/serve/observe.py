"""Counts what was sent, for benchmarks and tests: bytes as they leave the server, compressed where they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Sent:
    """One answer. `nbytes`: of its body, also where the client hung up before the end."""

    method: str
    path: str
    """As it was asked for, without the query."""
    range: str | None
    status: int
    nbytes: int
    encoding: str | None


class Observer:
    """Around an ASGI app; `tell` is called from the server's loop after each answer."""

    def __init__(self, app: ASGIApp, tell: Callable[[Sent], None]) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, nbytes, encoding = 0, 0, None

        async def counted(message: Message) -> None:
            nonlocal status, nbytes, encoding
            if message["type"] == "http.response.start":
                status = message["status"]
                encoding = Headers(raw=message["headers"]).get("content-encoding")
            await send(message)
            nbytes += len(message.get("body", b"")) if scope["method"] != "HEAD" else 0

        try:
            await self._app(scope, receive, counted)
        finally:
            wanted = Headers(scope=scope).get("range")
            self._tell(Sent(scope["method"], scope["path"], wanted, status, nbytes, encoding))
