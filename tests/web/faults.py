"""What goes wrong between a server and a browser. Each is a `server.Fault`."""

from __future__ import annotations

import gzip
import socket
import threading

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


def cut_when(read: threading.Event) -> Fault:
    """As `cut`, but only when the page has read what came: a browser may drop what is on its way."""

    def fault(handler: Handler, content: bytes) -> None:
        handler.head(200, {"Content-Length": str(len(content))})
        handler.body(content[: len(content) // 2])
        handler.close_connection = True
        handler.wfile.flush()
        read.wait(60)
        handler.connection.shutdown(socket.SHUT_RDWR)

    return fault


def cut_anywhere(handler: Handler, content: bytes) -> None:
    """Cut, now early, now late, by a server that knows no ranges: each try brings more or less than the one before."""
    tries = len(handler.server.site.asked(handler.path.split("?")[0]))
    handler.head(200, {"Content-Length": str(len(content))})
    handler.body(content[: len(content) // (2 if tries % 2 else 4)])
    handler.close_connection = True
    handler.wfile.flush()
    handler.server.stopping.wait(0.2)
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


def stall_once_resumable(handler: Handler, content: bytes) -> None:
    """Silence in the middle of the body; a Range request is answered properly."""
    if handler.headers.get("Range"):
        handler.serve(content)
    else:
        stall_in_body(handler, content)


def slow(handler: Handler, content: bytes) -> None:
    """A byte now and then, but never silence."""
    handler.head(200, {"Content-Length": str(len(content))})
    step = max(1, len(content) // 20)
    for start in range(0, len(content), step):
        handler.body(content[start : start + step])
        handler.wfile.flush()
        handler.server.stopping.wait(0.1)


def zeros(handler: Handler, content: bytes) -> None:
    handler.serve(bytes(len(content)))


def text(body: str, kind: str) -> Fault:
    return lambda handler, content: handler.answer(200, body.encode(), {"Content-Type": kind})


LFS_POINTER = text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 99\n", "text/plain")
JSON_ERROR = text('{"error": "not found"}', "application/json")


def empty(handler: Handler, content: bytes) -> None:
    handler.answer(200, b"")


def zipped_twice(handler: Handler, content: bytes) -> None:
    handler.answer(200, gzip.compress(gzip.compress(content, 1), 1), {"Content-Encoding": "gzip"})


def chunked(handler: Handler, content: bytes) -> None:
    """No Content-Length."""
    handler.head(200, {"Transfer-Encoding": "chunked"})
    step = max(1, len(content) // 7)
    for start in range(0, len(content), step):
        part = content[start : start + step]
        handler.body(b"%x\r\n%s\r\n" % (len(part), part))
    handler.body(b"0\r\n\r\n")


def chunked_cut(handler: Handler, content: bytes) -> None:
    handler.head(200, {"Transfer-Encoding": "chunked"})
    half = content[: len(content) // 2]
    handler.body(b"%x\r\n%s\r\n" % (len(half), half))
    handler.close_connection = True


def until_close(handler: Handler, content: bytes) -> None:
    """Neither a length nor chunks: the body ends with the connection."""
    handler.head(200, {"Connection": "close"})
    handler.body(content)
    handler.close_connection = True


def endless(handler: Handler, content: bytes) -> None:
    handler.head(200, {"Transfer-Encoding": "chunked"})
    handler.close_connection = True
    for _ in range(10_000):
        if handler.server.stopping.wait(0.001):
            return
        handler.body(b"10000\r\n" + bytes(65536) + b"\r\n")


def garbage(handler: Handler, content: bytes) -> None:
    handler.close_connection = True
    handler.wfile.write(b"\x00\x01 no HTTP \r\n\r\n")


def redirect(where: str) -> Fault:
    """`where` may hold {path}."""

    def answer(handler: Handler, content: bytes) -> None:
        handler.answer(302, b"", {"Location": where.format(path=handler.path), "Cache-Control": "no-store"})

    return answer


def redirect_to_itself_once(handler: Handler, content: bytes) -> None:
    """As hosts do that move files: another address of the same origin has them."""
    if handler.path.endswith("?moved"):
        handler.serve(content)
    else:
        redirect("{path}?moved")(handler, content)


def cut_then(resumed: Fault) -> Fault:
    """The body breaks off, and the request for the rest is answered by `resumed`."""
    return lambda handler, content: (resumed if handler.headers.get("Range") else cut)(handler, content)


def rest_of_another_file(handler: Handler, content: bytes) -> None:
    handler.serve(content[::-1])


def wrong_rest(handler: Handler, content: bytes) -> None:
    """Another range than the one that was asked for."""
    handler.answer(206, content[1:], {"Content-Range": f"bytes 1-{len(content) - 1}/{len(content)}"})


def all_of_it(handler: Handler, content: bytes) -> None:
    """Ranges are not understood."""
    handler.answer(200, content)
