"""What goes wrong between a server and a browser. Each is a `server.Fault`."""

from __future__ import annotations

import gzip
import socket

from .server import Fault, Handler


def status(code: int, headers: dict[str, str] | None = None) -> Fault:
    return lambda handler, content: handler.answer(code, b"no", {"Content-Type": "text/plain", **(headers or {})})


def html(handler: Handler, content: bytes) -> None:
    handler.answer(200, b"<!doctype html><title>app</title>", {"Content-Type": "text/html"})


def html_as_bytes(handler: Handler, content: bytes) -> None:
    handler.answer(200, b"<!doctype html><title>app</title>", {"Content-Type": "application/octet-stream"})


def corrupt(handler: Handler, content: bytes) -> None:
    middle = len(content) // 2
    handler.serve(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def cut(handler: Handler, content: bytes) -> None:
    """The connection ends in the middle of the body."""
    handler.head(200, {"Content-Length": str(len(content))})
    handler.body(content[: len(content) // 2])
    handler.close_connection = True
    handler.wfile.flush()
    handler.server.stopping.wait(0.2)  # else the reset may overtake the bytes
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut_resumable(handler: Handler, content: bytes) -> None:
    """As `cut`, but a Range request is answered properly."""
    if handler.headers.get("Range"):
        handler.serve(content)
    else:
        cut(handler, content)


def short(handler: Handler, content: bytes) -> None:
    """Less than the file, and a clean end."""
    handler.answer(200, content[: len(content) // 2])


def longer(handler: Handler, content: bytes) -> None:
    handler.answer(200, content + b"more")


def reset(handler: Handler, content: bytes) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def zipped_unlabelled(handler: Handler, content: bytes) -> None:
    handler.answer(200, gzip.compress(content, 1))


def zipped(handler: Handler, content: bytes) -> None:
    handler.answer(200, gzip.compress(content, 1), {"Content-Encoding": "gzip"})


def zip_label_only(handler: Handler, content: bytes) -> None:
    handler.answer(200, content, {"Content-Encoding": "gzip"})


def part_unasked(handler: Handler, content: bytes) -> None:
    part = content[: len(content) // 2]
    handler.answer(206, part, {"Content-Range": f"bytes 0-{len(part) - 1}/{len(content)}"})


def stall_before_head(handler: Handler, content: bytes) -> None:
    handler.server.stopping.wait(60)
    handler.close_connection = True


def stall_in_body(handler: Handler, content: bytes) -> None:
    handler.head(200, {"Content-Length": str(len(content))})
    handler.body(content[: len(content) // 2])
    handler.wfile.flush()
    handler.server.stopping.wait(60)
    handler.close_connection = True
