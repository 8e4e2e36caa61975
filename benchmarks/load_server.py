"""A static server for benchmarks: sendfile, one rate over all connections together, and a count of what was sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".html": "text/html",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
STEP = 16 << 10


@dataclass(slots=True)
class Mounts:
    folders: Mapping[str, Path]
    rate: float | None = None
    """Bytes per second."""
    sent: int = 0
    """Body bytes."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    free_at: float = 0.0

    def find(self, path: str) -> Path | None:
        for prefix, folder in self.folders.items():
            if path.startswith(prefix) and (folder / path.removeprefix(prefix)).is_file():
                return folder / path.removeprefix(prefix)
        return None

    def wait_for(self, nbytes: int) -> None:
        """Takes the line for `nbytes`."""
        if self.rate is None:
            return
        with self.lock:
            self.free_at = max(self.free_at, time.monotonic()) + nbytes / self.rate
            until = self.free_at
        time.sleep(max(0.0, until - time.monotonic()))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, mounts: Mounts) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mounts = mounts

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that is closed hangs up."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        mounts = self.server.mounts
        file = mounts.find(self.path.split("?")[0])
        if file is None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        state = file.stat()
        size, tag = state.st_size, f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(size))
        self.send_header("Content-Type", TYPES.get(file.suffix, "application/octet-stream"))
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        with open(file, "rb") as content:
            if mounts.rate is None:
                self.connection.sendfile(content)
            while part := content.read(STEP) if mounts.rate is not None else b"":
                mounts.wait_for(len(part))
                self.wfile.write(part)
        with mounts.lock:
            mounts.sent += size

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(mounts: Mounts) -> Iterator[str]:
    """Serves until the block ends; gives the origin."""
    server = Server(mounts)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
