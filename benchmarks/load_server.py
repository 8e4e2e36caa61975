"""A static server for benchmarks: sendfile, one rate over all connections together, and a count of what was sent."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

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
    asked: queue.SimpleQueue[None] = field(default_factory=queue.SimpleQueue)
    """One for each page that waits for something to do: GET /job is answered by what is put into `jobs`."""
    jobs: queue.SimpleQueue[dict[str, Any]] = field(default_factory=queue.SimpleQueue)
    told: queue.SimpleQueue[dict[str, Any]] = field(default_factory=queue.SimpleQueue)
    """What pages have posted to /told."""

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

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"")
        self.server.mounts.told.put(told)

    def do_GET(self) -> None:
        mounts = self.server.mounts
        if self.path == "/job":
            mounts.asked.put(None)
            self.answer(json.dumps(mounts.jobs.get()).encode())
            return
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

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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
