"""Where the bytes of big tensors lie while a model is being read: the reader's side of `Model.weights`.

A tensor that has been settled and is big is an external reference whose location is `token` + index. Everything
that moves tensors about (lifting, conversion) only moves those references.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ..catalogue import problem
from ..errors import BugError, InputError
from .model import INLINE_BELOW, Region

EXTERNAL = 1
"""TensorProto.EXTERNAL."""
_ALIGN = 64


@dataclass
class Payloads:
    """`scratch`: folder for the bytes of tensors that had to be rewritten; one file is made in it, when needed."""

    token: str
    scratch: str
    regions: list[Region] = field(default_factory=list)
    _spill: str = ""

    def region(self, tensor: Any) -> Region | None:
        """The bytes of a TensorProto that refers to us; None for every other tensor."""
        if tensor.data_location != EXTERNAL or len(tensor.external_data) != 1:
            return None
        entry = tensor.external_data[0]
        if entry.key != "location" or not isinstance(entry.value, str) or not entry.value.startswith(self.token):
            return None
        index = entry.value[len(self.token) :]
        return self.regions[int(index)] if index.isdecimal() and int(index) < len(self.regions) else None

    def put(self, tensor: Any, data: bytes) -> None:
        """Gives a TensorProto its raw bytes: inside when they are few, in the scratch file otherwise."""
        if len(data) >= INLINE_BELOW:
            self.refer(tensor, self._write(data))
            return
        clear_data(tensor)
        tensor.raw_data = data

    def refer(self, tensor: Any, region: Region) -> None:
        """Makes a TensorProto refer to `region`."""
        clear_data(tensor)
        tensor.data_location = EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", f"{self.token}{len(self.regions)}"
        self.regions.append(region)

    def inline(self, tensor: Any) -> None:
        """Copies the bytes of a TensorProto that refers to us back into it."""
        region = self.region(tensor)
        if region is not None:
            clear_data(tensor)
            tensor.raw_data = read_region(region)

    def _write(self, data: bytes) -> Region:
        return self.spill(lambda file: file.write(data))

    def spill(self, write: Callable[[BinaryIO], object]) -> Region:
        """The region of the scratch file that `write` appends to it."""
        if not self._spill:
            self._spill = new_file(self.scratch, "tensors")
        with open(self._spill, "ab") as file:
            file.write(bytes(-file.tell() % _ALIGN))
            start = file.tell()
            write(file)
            return Region(self._spill, start, file.tell() - start)


def new_file(folder: str, stem: str) -> str:
    """An empty new file in `folder`: its real path. Several steps may share a folder."""
    for number in range(1 << 20):
        path = os.path.join(os.path.realpath(folder), f"{stem}-{number}.bin")
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            continue
        return path
    raise BugError(f"{folder} holds a million scratch files")


def clear_data(tensor: Any) -> None:
    """Takes every form of data out of a TensorProto."""
    for name in _DATA_FIELDS:
        tensor.ClearField(name)


_DATA_FIELDS = (
    "raw_data",
    "float_data",
    "int32_data",
    "int64_data",
    "double_data",
    "uint64_data",
    "external_data",
    "data_location",
)


def read_region(region: Region) -> bytes:
    with open(region.path, "rb") as file:
        file.seek(region.offset)
        data = file.read(region.length)
    if len(data) != region.length:
        raise InputError(problem("MB265", "the file became shorter while it was read", file=region.path))
    return data
