"""A JSON file that says what it is and carries the sha256 of its body, so that damage is seen and never believed.

mbundle <kind> <format> <sha256 of the body>\\n
<body: JSON>
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from . import atomic


class Damaged(Exception):
    """The file exists and is not what it claims to be; the argument says why."""


def seal(kind: str, version: int, value: Any) -> bytes:
    body = orjson.dumps(value)
    return f"mbundle {kind} {version} {hashlib.sha256(body).hexdigest()}\n".encode() + body


def unseal(data: bytes, kind: str, version: int) -> Any:
    """The value in `data`. Raises Damaged for another kind or version, a wrong digest, or no JSON."""
    header, newline, body = data.partition(b"\n")
    words = header.split(b" ")
    if not newline or words[:2] != [b"mbundle", kind.encode()] or len(words) != 4:
        raise Damaged("it is not a file of this kind")
    if words[2] != str(version).encode():
        raise Damaged("another version of mbundle wrote it")
    if words[3] != hashlib.sha256(body).hexdigest().encode():
        raise Damaged("its content does not match its checksum")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Damaged("its content is no JSON") from error


def save(path: str, kind: str, version: int, value: Any, *, temporary: str | None = None) -> None:
    """Writes atomically. OSError when the disk or the folder does not take it."""
    atomic.write(path, seal(kind, version, value), temporary=temporary)


def load(path: str, kind: str, version: int) -> Any | None:
    """The value, or None where there is no file. Raises Damaged, also for a file that cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Damaged(error.strerror or "it cannot be read") from error
    return unseal(data, kind, version)
