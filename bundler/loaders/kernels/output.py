"""The scratch file that kernels fill."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graph.model import Region
from ...graph.payloads import new_file
from .tiles import Array, Buffers, Tile

_ALIGN = 64


@dataclass
class Area:
    """Room for one array, zeros at first. Its region is valid once it is filled."""

    region: Region
    shape: tuple[int, ...]
    dtype: Any
    _array: Array | None = field(default=None, repr=False)

    @property
    def array(self) -> Array:
        """The array on mapped pages of the file, for what is written in small pieces. Two threads may map it twice.

        The disk is reserved first, so that a full one is an error and not a SIGBUS.
        """
        if self._array is None:
            self._array = self._mapped()
        return self._array

    def write(self, tile: Tile, values: Array, buffers: Buffers) -> None:
        """Stores a tile that is as wide as its matrix: one system call, where mapped pages would fault one by one."""
        file = buffers.file(self.region.path, os.O_WRONLY)
        view = memoryview(values.reshape(-1).view(np.uint8).data)
        at = self.region.offset + tile.top * self.shape[-1] * values.itemsize
        while view:
            count = os.pwrite(file, view, at)
            view, at = view[count:], at + count

    def _mapped(self) -> Array:
        start, length = self.region.offset, self.region.length
        below = start - start % mmap.ALLOCATIONGRANULARITY
        file = os.open(self.region.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if length and hasattr(os, "posix_fallocate"):  # macOS has none
                os.posix_fallocate(file, start, length)
            pages = mmap.mmap(file, max(start + length - below, 1), offset=below)
        finally:
            os.close(file)
        count = length // np.dtype(self.dtype).itemsize
        return np.frombuffer(pages, self.dtype, count, start - below).reshape(self.shape)


def store(out: Area | Array, tile: Tile, values: Array, buffers: Buffers) -> None:
    """Puts a tile into its place, in the type that is stored there."""
    if isinstance(out, Area) and tile.right - tile.left == out.shape[-1]:
        stored = buffers.get("store", values.shape, out.dtype)
        np.copyto(stored, values, casting="unsafe")
        out.write(tile, stored, buffers)
    else:
        array = out.array if isinstance(out, Area) else out
        np.copyto(array[tile.place], values, casting="unsafe")


class Output:
    """One new file in the folder `scratch`, made when it is first needed."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._path = ""
        self._end = 0

    def reserve(self, shape: tuple[int, ...], dtype: Any) -> Area:
        if not self._path:
            self._path = new_file(self._scratch, "kernels")
        start = self._end + -self._end % _ALIGN
        length = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self._end = start + length
        os.truncate(self._path, self._end)
        return Area(Region(self._path, start, length), shape, dtype)
