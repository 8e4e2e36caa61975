"""Reads the graph out of a mapped .onnx file and leaves its weights where they are.

The wire format is copied message by message; wherever a TensorProto holds INLINE_BELOW bytes or more that are
laid out as raw_data is, the payload is replaced by an external-data reference to that very range of the file.
So the cost is that of the graph, not of the weights: 435 MB of weights cost 4 ms and no memory.

A reference's location is `Scan.token` and an index. The token is random for each scan: no location that a
file itself contains can pass for ours.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import NamedTuple

from .dtypes import DTYPES, FIELD_WIDTH
from .model import INLINE_BELOW
from .wire import BYTES, MAX_DEPTH, VARINT, Field, WireFault, delimited, external_entries, fields, read_varint

MAX_SKELETON = 256 << 20
"""Bytes. A graph without its weights; 50,000 nodes take about 5 MB."""

_TENSOR = "tensor"
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
}
_DATA = {
    4: "float_data",
    5: "int32_data",
    6: "string_data",
    7: "int64_data",
    9: "raw",
    10: "double_data",
    11: "uint64_data",
}
_DATA_TYPE, _EXTERNAL_DATA, _DATA_LOCATION = 2, 13, 14


class Span(NamedTuple):
    """[offset, offset + length) of the scanned file."""

    offset: int
    length: int


@dataclass(frozen=True)
class Scan:
    """`skeleton`: the ModelProto with references; `spans[i]`: the payload of the reference token + str(i)."""

    token: str
    skeleton: bytes
    spans: tuple[Span, ...]


def scan(view: memoryview) -> Scan:
    """The skeleton of the ModelProto in `view`. Raises WireFault. Messages without big payloads are not looked into."""
    scanner = _Scanner(view)
    rewritten = scanner.message("model", 0, len(view), 1)
    if rewritten is None:
        scanner.keep(0, len(view))
    skeleton = bytes(view) if rewritten is None else rewritten
    return Scan(scanner.token, skeleton, tuple(scanner.spans))


def diagnose(view: memoryview) -> None:
    """Raises the WireFault of a file that a protobuf parser refused, if there is one: looks into every message."""
    _Scanner(view, floor=0).message("model", 0, len(view), 1)


@dataclass
class _Scanner:
    view: memoryview
    floor: int = INLINE_BELOW
    """Messages smaller than this hold no payload worth moving."""
    token: str = field(default_factory=lambda: f"{secrets.token_hex(8)}#")
    spans: list[Span] = field(default_factory=list)
    kept: int = 0

    def message(self, kind: str, start: int, end: int, depth: int) -> bytes | None:
        """The message in [start, end) with its payloads replaced; None when it holds none."""
        if depth > MAX_DEPTH:
            raise WireFault("deep", start, f"messages are nested more than {MAX_DEPTH} deep at byte {start:,}")
        out: list[bytes | memoryview] = []
        copied = start
        for item in fields(self.view, start, end):
            self._bound(item.tag - copied)
            child = _CHILDREN[kind].get(item.number) if item.wire == BYTES else None
            if child is None or item.stop - item.start < self.floor:
                continue
            new = self._tensor(item) if child == _TENSOR else self.message(child, item.start, item.stop, depth + 1)
            if new is not None:
                out += self.keep(copied, item.tag), delimited(item.number, new)
                copied = item.stop
        if not out:
            return None
        out.append(self.keep(copied, end))
        return b"".join(out)

    def keep(self, start: int, end: int) -> memoryview:
        self._bound(end - start)
        self.kept += end - start
        return self.view[start:end]

    def _bound(self, more: int) -> None:
        if self.kept + more > MAX_SKELETON:
            raise WireFault("big", 0, f"the graph without its weights is larger than {MAX_SKELETON >> 20} MiB")

    def _tensor(self, message: Field) -> bytes | None:
        payload = self._payload(message)
        if payload is None:
            return None
        index = len(self.spans)
        self.spans.append(Span(payload.start, payload.stop - payload.start))
        reference = external_entries((("location", f"{self.token}{index}"),))
        return bytes(self.keep(message.start, payload.tag)) + self.keep(payload.stop, message.stop) + reference

    def _payload(self, message: Field) -> Field | None:
        """The one field of a TensorProto that holds its data, if that is big and laid out as raw_data is."""
        data, dtype = None, 0
        for item in fields(self.view, message.start, message.stop):
            if item.number in _DATA:
                if data is not None:
                    return None
                data = item
            elif item.number == _DATA_TYPE and item.wire == VARINT:
                dtype = read_varint(self.view, item.start, item.stop)[0]
            elif item.number in (_EXTERNAL_DATA, _DATA_LOCATION) and self._says(item):
                return None
        big = data is not None and data.wire == BYTES and data.stop - data.start >= INLINE_BELOW
        return data if data is not None and big and self._is_raw(data, dtype) else None

    def _says(self, item: Field) -> bool:
        """An external_data entry, or a data_location other than DEFAULT."""
        return item.wire != VARINT or read_varint(self.view, item.start, item.stop)[0] != 0

    def _is_raw(self, data: Field, number: int) -> bool:
        kind, dtype = _DATA[data.number], DTYPES.get(number)
        if kind == "raw":
            return True
        if dtype is None or dtype.field != kind:
            return False
        if kind in FIELD_WIDTH:
            return (data.stop - data.start) % FIELD_WIDTH[kind] == 0
        return kind == "int32_data" and dtype.bits <= 8 and self._is_ascii(data)

    def _is_ascii(self, data: Field) -> bool:
        """No byte has its high bit set: each varint is one byte, and that byte is the value."""
        step = 1 << 20
        return all(
            bytes(self.view[at : min(at + step, data.stop)]).isascii() for at in range(data.start, data.stop, step)
        )
