"""Who may ask: Host, Origin, Sec-Fetch-Site, methods. Stands before everything else, in `serve` and in `preview`.

A web page anywhere can make the browser send requests to 127.0.0.1. The Host check stops DNS rebinding, the Origin and
Sec-Fetch-Site checks stop other sites' pages (scripts and images included), and no answer allows another origin to read
it unless that origin was named. Nothing here changes state, so a link from elsewhere (a top-level navigation) is
harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = "GET, HEAD, OPTIONS"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]{1,253})(?::\d{1,5})?", re.IGNORECASE)
_OWN = {"localhost", "127.0.0.1", "[::1]"}
_EXPOSED = "Content-Length, Content-Range, ETag"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": "Range, If-Range, If-None-Match",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "600",
}
_ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


class Guard:
    """Around an ASGI app. `hosts`: names besides those of this machine; `origins`: of pages elsewhere that may read."""

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str] = (), origins: Iterable[str] = (), isolated: bool = True
    ) -> None:
        self._app = app
        self._hosts = _OWN | {host.lower() for host in hosts}
        self._origins = {origin.lower().rstrip("/") for origin in origins}
        self._isolated = _ISOLATED if isolated else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = Headers(scope=scope)
        origin = asked.get("origin", "").lower()
        foreign = origin if origin in self._origins else None

        async def signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._sign(MutableHeaders(scope=message), foreign)
            await send(message)

        refused = self._refuse(scope, asked, foreign)
        if refused is None and scope["method"] == "OPTIONS":
            refused = Response(status_code=204, headers=_PREFLIGHT if foreign else {"Allow": METHODS})
        await (refused or self._app)(scope, receive, signed)

    def _sign(self, headers: MutableHeaders, foreign: str | None) -> None:
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Cross-Origin-Resource-Policy"] = "cross-origin" if foreign else "same-origin"
        headers.update(self._isolated)
        if self._origins:
            headers.add_vary_header("Origin")
        if foreign:
            headers["Access-Control-Allow-Origin"] = foreign
            headers["Access-Control-Expose-Headers"] = _EXPOSED

    def _refuse(self, scope: Scope, asked: Headers, foreign: str | None) -> Response | None:
        hosts = asked.getlist("host")
        host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if host is None:
            return _no(400, "one Host header is needed")
        if not self._known(host[1].lower()):
            return _no(403, "this host name is not allowed; allow it with --allowed-host")
        if scope["method"] not in METHODS.split(", "):
            return _no(405, "only GET and HEAD", {"Allow": METHODS})
        if foreign is None and not self._at_home(scope, asked, hosts[0]):
            return _no(403, "pages of other origins may not read this; allow one with --allowed-origin")
        return None

    def _known(self, host: str) -> bool:
        return host in self._hosts or host.endswith(".localhost")

    def _at_home(self, scope: Scope, asked: Headers, host: str) -> bool:
        """No page of another origin asks: by what its browser says, or it is a person who follows a link."""
        origin = asked.get("origin")
        if origin is not None and origin.lower() != f"{scope['scheme']}://{host.lower()}":
            return False
        if asked.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return True
        return (asked.get("sec-fetch-mode"), asked.get("sec-fetch-dest")) == ("navigate", "document")


def _no(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{status}: {why}.\n", status, {"Cache-Control": "no-store", **(headers or {})})
