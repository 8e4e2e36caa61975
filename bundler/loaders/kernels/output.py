"""The scratch file that kernels fill: reserved on the disk first, so that a full disk is an error and not a SIGBUS."""

from __future__ import annotations

import mmap
import os
from typing import Any

import numpy as np

from ...graph.model import Region
from ...graph.payloads import new_file
from .tiles import Array

_ALIGN = 64


class Output:
    """One new file in the folder `scratch`, made when it is first needed."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._path = ""
        self._end = 0

    def reserve(self, shape: tuple[int, ...], dtype: Any) -> tuple[Region, Array]:
        """A new region, zeroed, and an array on its mapped pages; the region is valid once the array is filled."""
        if not self._path:
            self._path = new_file(self._scratch, "kernels")
        start = self._end + -self._end % _ALIGN
        length = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self._end = start + length
        below = start - start % mmap.ALLOCATIONGRANULARITY
        file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if length:
                _allocate(file, start, length)
            pages = mmap.mmap(file, max(self._end - below, 1), offset=below)
        finally:
            os.close(file)
        array = np.frombuffer(pages, dtype, length // np.dtype(dtype).itemsize, start - below).reshape(shape)
        return Region(self._path, start, length), array


def _allocate(file: int, start: int, length: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, start, length)
    else:  # macOS
        os.ftruncate(file, start + length)
