"""The live channel: events of a session as server-sent events to every page that is connected."""

from __future__ import annotations

import asyncio
import hmac
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

_MOST = 64
"""Pages at a time."""
_WAITING = 256
"""Events that a page may be behind; one that does not read is let go and asks again."""
_ALIVE = 15.0
"""Seconds after which a comment shows whether the page is still there."""
_GONE = b""


class Channel:
    """An ASGI app. `publish` and `close` may be called from any thread."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pages: set[asyncio.Queue[bytes]] = set()
        self._manifest: Mapping[str, Any] | None = None
        self._problems: list[Any] = []

    def start(self, manifest_sha256: str | None) -> None:
        """The build that is in the output folder before the first event."""
        self._manifest = {"sha256": manifest_sha256} if manifest_sha256 else None

    @property
    def built(self) -> bool:
        """Whether there is a good build."""
        return self._manifest is not None

    @property
    def listeners(self) -> int:
        """Pages that are connected."""
        return len(self._pages)

    def publish(self, event: Mapping[str, Any]) -> None:
        """`event`: as `watch.events` makes it."""
        with self._lock:
            match event["type"]:
                case "error":
                    self._problems = event["problems"]
                case "model-update":
                    self._manifest, self._problems = event["manifest"], []
                case "build-unchanged":
                    self._problems = []
            self._send(_frame(event))

    def close(self) -> None:
        with self._lock:
            self._send(_GONE)

    def _send(self, frame: bytes) -> None:
        for page in list(self._pages):
            if self._loop and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._put, page, frame)

    def _put(self, page: asyncio.Queue[bytes], frame: bytes) -> None:
        try:
            page.put_nowait(frame)
        except asyncio.QueueFull:
            self._pages.discard(page)
            while not page.empty():
                page.get_nowait()
            page.put_nowait(_GONE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, asked: Request) -> Response:
        given = asked.query_params.getlist("token")
        if len(given) != 1 or not hmac.compare_digest(given[0].encode(), self._token.encode()):
            return PlainTextResponse("403: the token of this run is needed.\n", 403, {"Cache-Control": "no-store"})
        if asked.method != "GET" or len(self._pages) >= _MOST:
            return PlainTextResponse("503: no more pages.\n", 503, {"Cache-Control": "no-store", "Retry-After": "5"})
        return StreamingResponse(self._stream(), 200, {"Cache-Control": "no-store"}, "text/event-stream")

    async def _stream(self) -> AsyncIterator[bytes]:
        page: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
        with self._lock:  # nothing is missed between the state and the first event
            self._loop = asyncio.get_running_loop()
            self._pages.add(page)
            hello = {"type": "hello", "manifest": self._manifest, "problems": self._problems}
        try:
            yield b"retry: 1000\n" + _frame(hello)
            while True:
                try:
                    frame = await asyncio.wait_for(page.get(), _ALIVE)
                except TimeoutError:
                    frame = b": still here\n\n"
                if frame == _GONE:
                    return
                yield frame
        finally:
            with self._lock:
                self._pages.discard(page)


def _frame(event: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"
