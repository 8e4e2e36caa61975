"""The protobuf wire format, as far as a reader of untrusted files needs it: fields, varints, nothing else.

Every length is checked against what is left before it is used, so that no number in a file is believed.
Nothing is allocated in proportion to a number that was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_DEPTH = 100
"""Nested messages. What protobuf's own parsers, onnxruntime's among them, allow."""


class WireFault(Exception):
    """The bytes are not protobuf. `kind`: "truncated", "corrupt" or "deep"; `offset`: where in the file."""

    def __init__(self, kind: str, offset: int, what: str) -> None:
        super().__init__(what)
        self.kind, self.offset, self.what = kind, offset, what


class Field(NamedTuple):
    """One field of a message: the tag begins at `tag`, the value (without its length) is [start, stop)."""

    number: int
    wire: int
    tag: int
    start: int
    stop: int


def read_varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    """The number at `at` and the offset behind it. Raises WireFault when it is cut off or longer than 64 bits."""
    value = 0
    for position in range(at, min(at + 10, end)):
        byte = view[position]
        value |= (byte & 0x7F) << (7 * (position - at))
        if byte < 0x80:
            if value >> 64:
                break
            return value, position + 1
    if end - at < 10:
        raise WireFault("truncated", at, f"a number at byte {at:,} is cut off")
    raise WireFault("corrupt", at, f"the number at byte {at:,} is longer than 64 bits")


def fields(view: memoryview, start: int, end: int) -> Iterator[Field]:
    """The fields of the message that lies in [start, end)."""
    at = start
    while at < end:
        tag = at
        key = view[at]
        if key < 0x80:
            at += 1
        else:
            key, at = read_varint(view, at, end)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise WireFault("corrupt", tag, f"byte {tag:,} begins field {number}, which cannot exist")
        begin, stop = _extent(view, wire, tag, at, end)
        yield Field(number, wire, tag, begin, stop)
        at = stop


def _extent(view: memoryview, wire: int, tag: int, at: int, end: int) -> tuple[int, int]:
    """Where the value of a field lies. `at` is just behind the tag."""
    if wire == BYTES:
        length, at = read_varint(view, at, end)
    elif wire == VARINT:
        return at, read_varint(view, at, end)[1]
    elif wire in (FIXED32, FIXED64):
        length = 4 if wire == FIXED32 else 8
    else:
        raise WireFault("corrupt", tag, f"byte {tag:,} has wire type {wire}, which ONNX does not use")
    if length > end - at:
        raise WireFault(
            "truncated",
            tag,
            f"a field at byte {tag:,} says that it holds {length:,} bytes, but only {end - at:,} follow",
        )
    return at, at + length


def varint(value: int) -> bytes:
    """`value` (0 <= value < 2**64) in the shortest form."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def delimited(number: int, payload: bytes) -> bytes:
    """Field `number` holding `payload`: a string, bytes or a message."""
    return tag(number, BYTES) + varint(len(payload)) + payload


def external_entries(entries: tuple[tuple[str, str], ...]) -> bytes:
    """The `external_data` fields of a TensorProto and its `data_location`, as onnx writes them."""
    pairs = (delimited(1, key.encode()) + delimited(2, value.encode()) for key, value in entries)
    return b"".join(delimited(13, pair) for pair in pairs) + tag(14, VARINT) + b"\x01"
