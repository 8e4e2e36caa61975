"""A slow network, felt at the desk: a pause before each answer and one bandwidth that all answers share.

As in Chrome's DevTools the latency is paid once a request; connections are not counted.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .networks import Network

_PIECE = 16 << 10


class Throttle:
    """Around an ASGI app."""

    def __init__(self, app: ASGIApp, network: Network) -> None:
        self._app = app
        self._network = network
        self._free = 0.0
        """When the line is free again, on the loop's clock."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def slowly(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(self._network.latency)
                await send(message)
                return
            body, more = message.get("body", b""), message.get("more_body", False)
            for start in range(0, len(body), _PIECE):
                piece = body[start : start + _PIECE]
                await self._wait(len(piece))
                await send({"type": message["type"], "body": piece, "more_body": True})
            if not more:
                await send({"type": message["type"], "body": b"", "more_body": False})

        await self._app(scope, receive, slowly)

    async def _wait(self, nbytes: int) -> None:
        now = asyncio.get_running_loop().time()
        self._free = max(now, self._free) + nbytes * 8 / self._network.down
        await asyncio.sleep(self._free - now)
