"""An output folder, and the app around it, as production should serve them: an ASGI app.

    guard (who may ask) → observer → throttle → reserved paths → the output folder → the app's folder → 404

`bundler.serve.run` starts it. `preview`, `serve`, the benchmarks and the golden checks all use this one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..catalogue import problem
from ..errors import UsageError
from .answer import answer
from .appfolder import AppFolder
from .found import Found, Place, Text
from .guard import Guard
from .networks import Network
from .observe import Observer, Sent
from .output import OutputFiles
from .path import BadPath, segments
from .throttle import Throttle
from .welcome import Welcome

_BAD = PlainTextResponse("400: this is no path of a file.\n", 400, {"Cache-Control": "no-store"})
RESERVED = "__mbundle"
"""First segment of every path that is ours and not the app's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a site may have besides its output folder."""

    app: str | Literal["nearest"] | None = "nearest"
    """The app's folder: a path (MB653 unless the output is inside), None for none, or the nearest folder from the
    output up to `root` that holds an index.html."""
    root: str | None = None
    """The search for the app ends here; None: at the output folder."""
    mounts: Mapping[str, str] = field(default_factory=dict)
    """More folders by the path under which they are served, such as {"/ort/": ".../onnxruntime-web/dist"}."""
    pages: Mapping[str, Text] = field(default_factory=dict)
    """Pages that are in no file, by path."""
    hosts: Iterable[str] = ()
    origins: Iterable[str] = ()
    isolated: bool = True
    """Sends COOP and COEP, without which there are no threads in WebAssembly."""
    throttle: Network | None = None
    observe: Callable[[Sent], None] | None = None
    reserved: Mapping[str, ASGIApp] = field(default_factory=dict)
    """Handlers of `/__mbundle/<name>` and all below it, by name."""
    rewrite: Callable[[str, bytes], bytes] | None = None
    """What becomes of a pointer (name, content) on its way out; production sends it as it is."""


class Site:
    """The ASGI app. `base`: path of the output folder, "/" or "/models/"; `app`: the app's folder, if any."""

    def __init__(self, output: str, options: Options | None = None) -> None:
        options = options or Options()
        self.output = os.path.abspath(output)
        self.app = _app_of(self.output, options)
        inside = os.path.relpath(self.output, self.app).replace(os.sep, "/") if self.app else "."
        self.base = "/" if inside == "." else f"/{inside}/"
        self._reserved = options.reserved
        self._pages = options.pages
        self._under = tuple(self.base.split("/")[1:-1])
        self._files = OutputFiles(self.output, options.rewrite)
        self._places: list[Place] = [AppFolder(path, _prefix(at)) for at, path in options.mounts.items()]
        self._places.append(AppFolder(self.app) if self.app else Welcome())
        self._stack: ASGIApp = self._answer
        if options.throttle:
            self._stack = Throttle(self._stack, options.throttle)
        if options.observe:
            self._stack = Observer(self._stack, options.observe)
        self._stack = Guard(self._stack, options.hosts, options.origins, options.isolated)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._stack(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            parts = segments(scope["raw_path"])
        except BadPath:
            await _BAD(scope, receive, send)
            return
        handler = self._reserved.get(parts[1]) if parts[0] == RESERVED and len(parts) > 1 else None
        if handler is None:
            page: Found = self._pages.get(scope["path"])
            found = page or await run_in_threadpool(self._find, parts)
            handler = answer(found, Headers(scope=scope))
        await handler(scope, receive, send)

    def _find(self, parts: tuple[str, ...]) -> Found:
        depth = len(self._under)
        found = self._files.find(parts[depth:]) if parts[:depth] == self._under else None
        for place in self._places:
            found = found or place.find(parts)
        return found


def _around(output: str, app: str) -> str:
    app = os.path.abspath(app)
    if not os.path.isdir(app) or os.path.commonpath([app, output]) != app:
        raise UsageError(problem("MB653", f"{output} is not inside it.", file=app))
    return app


def _prefix(at: str) -> tuple[str, ...]:
    return tuple(part for part in at.split("/") if part)


def _app_of(output: str, options: Options) -> str | None:
    if options.app != "nearest":
        return _around(output, options.app) if options.app else None
    root, folder = os.path.abspath(options.root or output), output
    while True:
        if os.path.isfile(os.path.join(folder, "index.html")):
            return folder
        if folder == root or os.path.commonpath([folder, root]) != root:
            return None
        folder = os.path.dirname(folder)
