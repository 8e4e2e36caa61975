"""A site on a real socket, an output folder without a build, and requests as clients (also bad ones) send them."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bundler.emit.loader import runtime_files
from bundler.serve.run import Running, serving
from bundler.serve.site import Options, Site

CHUNK = bytes(range(256)) * 400
"""What the chunk of `make_dist` holds."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def make_dist(folder: Path) -> str:
    """An output folder with the names of a real one; returns the chunk's path below it."""
    runtime, modules = runtime_files()
    chunk = f"assets/{hashlib.sha256(CHUNK).hexdigest()[:16]}.bin"
    files = {
        chunk: CHUNK,
        f"{chunk}.br": b"brotli twin",
        f"{chunk}.zst": b"the longer zstd twin",
        "assets/it.q8-0123456789abcdef.onnx": b"graph",
        "assets/ort-wasm-simd-threaded-0123456789abcdef.wasm": b"\0asm",
        "model-manifest.json": json.dumps({"version": 1, "generator": "test", "entries": {}}).encode(),
        "models.js": f'import {{ app }} from "./{runtime}/index.js";\n'.encode(),
        "entries/it.js": f'import {{ entry }} from "../{runtime}/index.js";\n'.encode(),
        ".mbundle.json": b'{"secret": "record"}',
        "notes.txt": b"secret: not of the build",
        **{f"{runtime}/{name}": content for name, content in modules.items()},
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return chunk


@contextmanager
def site(output: Path, options: Options | None = None) -> Iterator[Running]:
    with serving(Site(str(output), options)) as running:
        yield running


def get(running: Running, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request; header names with `_` for `-`. The answer's header names are in lower case."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        got = connection.getresponse()
        return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
    finally:
        connection.close()


def raw(running: Running, request: bytes, seconds: float = 20) -> bytes:
    """Sends bytes as they are and reads until the server closes, or has answered and waits for more."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=seconds) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except (TimeoutError, ConnectionResetError):
            pass
        return b"".join(parts)


def origin(running: Running) -> str:
    parts = urlsplit(running.url)
    return f"{parts.scheme}://{parts.netloc}"
