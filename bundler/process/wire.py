"""What goes over the socket between the build and its fork server: fixed-size JSON frames with file descriptors."""

from __future__ import annotations

import json
import socket
from typing import Any

FRAME = 8192
"""Bytes: one frame is one sendmsg, so frames of several threads never mix."""


def send(link: socket.socket, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
    frame = json.dumps(message).encode().ljust(FRAME)
    if len(frame) > FRAME:
        raise ValueError("frame too long")
    sent = socket.send_fds(link, [frame], fds) if fds else link.send(frame)
    link.sendall(frame[sent:])


def receive(link: socket.socket, most_fds: int = 0) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message, or None when the other end is gone."""
    frame, fds, _, _ = socket.recv_fds(link, FRAME, most_fds)
    while frame and len(frame) < FRAME:
        more = link.recv(FRAME - len(frame))
        if not more:
            return None, fds
        frame += more
    return (json.loads(frame) if frame else None), fds
