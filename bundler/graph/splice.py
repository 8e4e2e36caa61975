"""The inverse of `scan`: a skeleton with its weights put somewhere, as pieces to be written one after another.

A piece is bytes or a Region, so that a file of any size is written without holding its weights, and no
protobuf library takes part: the cost is that of copying the skeleton once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from ..catalogue import problem
from ..errors import InputError
from .model import Model, Region
from .payloads import read_region
from .wire import BYTES, Field, external_entries, fields, tag, varint

Piece = bytes | Region
Place = tuple[str, int] | None
"""(location, offset) of a weight in an external file; None: inside the graph file."""

_GRAPH, _INITIALIZER = 7, 5
_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 9, 13, 14


def pieces(model: Model, places: Sequence[Place]) -> list[Piece]:
    """The bytes of the .onnx file in which weight i lies at `places[i]`."""
    view = memoryview(model.skeleton)
    found: list[Piece] = []
    for item in fields(view, 0, len(view)):
        if item.number == _GRAPH and item.wire == BYTES:
            body = list(_graph(view, item, model, places))
            found += [tag(_GRAPH, BYTES) + varint(size_of(body)), *body]
        else:
            found.append(bytes(view[item.tag : item.stop]))
    return _joined(found)


def _graph(view: memoryview, graph: Field, model: Model, places: Sequence[Place]) -> Iterator[Piece]:
    for item in fields(view, graph.start, graph.stop):
        index = _reference(view, item)
        if index is None:
            yield bytes(view[item.tag : item.stop])
            continue
        body = _tensor(view, item, model.weights[index].region, places[index])
        yield tag(_INITIALIZER, BYTES) + varint(size_of(body))
        yield from body


def _reference(view: memoryview, item: Field) -> int | None:
    """The index of the weight that a field of the graph refers to, if it is such an initializer."""
    if item.number != _INITIALIZER or item.wire != BYTES:
        return None
    for part in fields(view, item.start, item.stop):
        if part.number == _EXTERNAL_DATA:
            value = next(entry for entry in fields(view, part.start, part.stop) if entry.number == 2)
            return int(bytes(view[value.start + 1 : value.stop]))
    return None


def _tensor(view: memoryview, item: Field, region: Region, place: Place) -> list[Piece]:
    parts = [
        part for part in fields(view, item.start, item.stop) if part.number not in (_EXTERNAL_DATA, _DATA_LOCATION)
    ]
    at = _RAW_DATA if place is None else _EXTERNAL_DATA
    head = b"".join(view[part.tag : part.stop] for part in parts if part.number < at)
    tail = b"".join(view[part.tag : part.stop] for part in parts if part.number > at)
    if place is None:
        return [head + tag(_RAW_DATA, BYTES) + varint(region.length), region, tail]
    entries = (("location", place[0]), ("offset", str(place[1])), ("length", str(region.length)))
    return [head + external_entries(entries) + tail]


def _joined(found: Iterable[Piece]) -> list[Piece]:
    """Neighbouring bytes made one piece."""
    joined: list[Piece] = []
    run: list[bytes] = []
    for piece in found:
        if isinstance(piece, bytes):
            run.append(piece)
            continue
        joined += [b"".join(run), piece]
        run = []
    return [*joined, b"".join(run)]


def size_of(found: Iterable[Piece]) -> int:
    return sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in found)


def in_memory(found: Iterable[Piece]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else read_region(piece) for piece in found)


def write_pieces(found: Iterable[Piece], path: str) -> None:
    """Writes a new file; regions are copied inside the kernel."""
    with open(path, "xb") as file:
        for piece in found:
            if isinstance(piece, bytes):
                file.write(piece)
            else:
                file.flush()
                copy_region(piece, file)


def copy_region(region: Region, file: BinaryIO) -> None:
    """Appends the bytes of `region` to `file`, whose buffer is empty."""
    with open(region.path, "rb") as source:
        at, left = region.offset, region.length
        while left:
            done = os.sendfile(file.fileno(), source.fileno(), at, min(left, 1 << 30))
            if not done:
                raise InputError(problem("MB265", "the file became shorter while it was copied", file=region.path))
            at, left = at + done, left - done


def lies_in(found: Sequence[Piece], path: str) -> bool:
    """Whether the file at `path` already is these pieces: each region at its own offset, all else equal."""
    if os.path.getsize(path) != size_of(found):
        return False
    at = 0
    with open(path, "rb") as file:
        for piece in found:
            if isinstance(piece, Region):
                if (piece.path, piece.offset) != (path, at):
                    return False
            else:
                file.seek(at)
                if file.read(len(piece)) != piece:
                    return False
            at += size_of([piece])
    return True
