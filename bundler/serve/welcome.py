"""The page of an output folder that no app is around: what is in it, and how to import it."""

from __future__ import annotations

from ..emit.templates import folder
from .found import REVALIDATE, Found, Text
from .mime import type_of

_FILES = {("",): "index.html", ("__mbundle", "welcome.js"): "welcome.js", ("__mbundle", "welcome.css"): "welcome.css"}
_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}


class Welcome:
    def find(self, parts: tuple[str, ...]) -> Found:
        name = _FILES.get(parts)
        if name is None:
            return None
        return Text((folder() / "serve" / name).read_bytes(), type_of(name), REVALIDATE, _POLICY)
