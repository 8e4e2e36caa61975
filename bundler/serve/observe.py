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
    """Around an ASGI app; `tell` is called from the server's loop, once an answer."""

    def __init__(self, app: ASGIApp, tell: Callable[[Sent], None]) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, nbytes, told = 0, 0, False
        encoding: str | None = None

        def tell() -> None:
            nonlocal told
            if not told:
                wanted = Headers(scope=scope).get("range")
                self._tell(Sent(scope["method"], scope["path"], wanted, status, nbytes, encoding))
            told = True

        async def counted(message: Message) -> None:
            nonlocal status, nbytes, encoding
            if message["type"] == "http.response.start":
                status = message["status"]
                encoding = Headers(raw=message["headers"]).get("content-encoding")
            elif message["type"] == "http.response.body":
                nbytes += len(message.get("body", b"")) if scope["method"] != "HEAD" else 0
                if not message.get("more_body", False):
                    tell()  # first, so that whoever has the answer finds it counted
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            tell()
