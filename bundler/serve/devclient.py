"""What pages get from a dev server besides their own files: the runtime's stand-in, the token, the events.

The output folder holds production output only. On its way out a pointer is told to import `/__mbundle/dev/index.js` in
place of the runtime; that module re-exports the runtime with models that are swapped in place (`templates/dev`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..emit.fill import fill
from ..emit.templates import folder
from .answer import answer
from .found import REVALIDATE, Found, Text
from .live import Channel
from .mime import type_of
from .path import BadPath, segments

_RUNTIME = re.compile(rb'"(?:\.|\.\.)/(runtime-[0-9a-f]{8,64})/index\.js"')
_RUNTIME_NAME = re.compile(r"runtime-[0-9a-f]{8,64}")
_MODULE = re.compile(r"[a-z-]{1,32}\.js")


class DevClient:
    """`base`: path of the output folder. `handlers` and `rewrite` are for `site.Options`."""

    def __init__(self) -> None:
        self.base = "/"
        self.token = secrets.token_hex(16)
        self.channel = Channel(self.token)
        self.handlers: Mapping[str, ASGIApp] = {"dev": self._module, "session": self._session, "events": self.channel}

    def rewrite(self, name: str, content: bytes | None) -> bytes | None:
        """A pointer as it goes out: `models.js` and `entries/*.js` import the stand-in; before the first build they
        are one themselves, which waits for it."""
        if not name.endswith(".js"):
            return content
        if content is not None:
            return _RUNTIME.sub(rb'"/__mbundle/dev/index.js?runtime=\1"', content)
        if self.channel.built:
            return None
        waiting = (folder() / "dev" / "waiting.js").read_text(encoding="utf-8")
        return fill(waiting, {"OUTPUT": self.base, "SELF": self.base + name}, {}).encode()

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The token of this run, for pages that the guard let through; not for a tab that was sent here."""
        if Headers(scope=scope).get("sec-fetch-mode") == "navigate":
            response: ASGIApp = PlainTextResponse("403: this is for pages.\n", 403, {"Cache-Control": "no-store"})
        else:
            response = JSONResponse({"token": self.token, "base": self.base}, headers={"Cache-Control": "no-store"})
        await response(scope, receive, send)

    async def _module(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(self._find(Request(scope)), Headers(scope=scope))(scope, receive, send)

    def _find(self, asked: Request) -> Found:
        try:
            *_, name = segments(asked.scope["raw_path"])[2:]
        except (BadPath, ValueError):
            return None
        path = folder() / "dev" / name
        if not _MODULE.fullmatch(name) or not path.is_file():
            return None
        content = path.read_text(encoding="utf-8")
        if name == "index.js":
            runtime = asked.query_params.get("runtime", "")
            if not _RUNTIME_NAME.fullmatch(runtime):
                return None
            content = fill(content, {"RUNTIME": f"{self.base}{runtime}", "OUTPUT": self.base}, {})
        return Text(content.encode(), type_of(name), REVALIDATE)
