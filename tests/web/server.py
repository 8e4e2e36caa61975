"""A server for browser tests: files with Range, and any fault on demand. It ends with its block."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


@dataclass(frozen=True)
class Request:
    path: str
    range: str | None
    sent: int
    """Body bytes."""


Fault = Callable[["Handler", bytes], None]
"""Answers instead of the server; the second argument is the file's content."""


@dataclass
class Site:
    """What is served, and what was asked. `faults`: pattern of a path -> (how often, fault)."""

    mounts: dict[str, Path] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[re.Pattern[str], list[int], Fault]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    """In the order in which they ended."""
    begun: list[str] = field(default_factory=list)
    """Paths, in the order in which they came."""
    rate: float | None = None
    """Bytes per second and connection, for files of a build."""
    origin: str = ""

    def fail(self, pattern: str, fault: Fault, times: int = 1_000_000) -> None:
        self.faults.append((re.compile(pattern), [times], fault))

    def asked(self, pattern: str) -> list[Request]:
        """A thread notes its answer a moment after the page has read the last of it."""
        end = time.monotonic() + 0.5
        while len(self.requests) < len(self.begun) and time.monotonic() < end:
            time.sleep(0.01)
        return [request for request in self.requests if re.search(pattern, request.path)]

    def content(self, path: str) -> bytes | None:
        if path in self.pages:
            return self.pages[path].encode()
        for prefix, root in self.mounts.items():
            file = root / path.removeprefix(prefix) if prefix.endswith("/") else root
            if path.startswith(prefix) and file.is_file() and file.resolve().is_relative_to(root.resolve()):
                return file.read_bytes()
        return None

    def fault(self, path: str) -> Fault | None:
        for pattern, left, fault in self.faults:
            if left[0] > 0 and pattern.search(path):
                left[0] -= 1
                return fault
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, site: Site, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.site = site
        self.stopping = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is no error of the test."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.server.site.begun.append(path)
        content = self.server.site.content(path)
        self.sent = 0
        try:
            fault = self.server.site.fault(path)
            if fault is not None:
                fault(self, content or b"")
            elif content is None:
                self.answer(404, b"not here", {"Content-Type": "text/plain"})
            else:
                self.serve(content)
        finally:
            self.server.site.requests.append(Request(path, self.headers.get("Range"), self.sent))

    def serve(self, content: bytes) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            return self.answer(200, content)
        start, end = int(wanted[1]), int(wanted[2] or len(content) - 1)
        if start >= len(content):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        part = content[start : end + 1]
        return self.answer(206, part, {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(content)}"})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.head(status, {"Content-Length": str(len(body)), **(headers or {})})
        self.body(body)

    def head(self, status: int, headers: dict[str, str]) -> None:
        suffix = "." + self.path.split("?")[0].rsplit(".", 1)[-1]
        kind = TYPES.get(suffix, "text/html" if self.path.endswith("/") else "application/octet-stream")
        hashed = "immutable, max-age=31536000" if "/assets/" in self.path else "no-cache"
        usual = {"Content-Type": kind, "Cache-Control": hashed, "Accept-Ranges": "bytes", **self.server.site.headers}
        self.send_response(status)
        for name, value in {**usual, **headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def body(self, body: bytes) -> None:
        rate = self.server.site.rate if "/assets/" in self.path else None
        step = 64 << 10 if rate else len(body) or 1
        for start in range(0, len(body), step):
            part = body[start : start + step]
            self.wfile.write(part)
            self.sent += len(part)
            if rate:
                self.server.stopping.wait(len(part) / rate)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(site: Site, host: str = "127.0.0.1") -> Iterator[Site]:
    server = Server(site, host)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    site.origin = f"http://{host}:{server.server_port}"
    try:
        yield site
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
