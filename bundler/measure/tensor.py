"""Arrays that cross from child processes to a page and back. The main process moves their bytes and no more."""

from __future__ import annotations

import math
from dataclasses import dataclass

WIDTHS = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "float16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 8,
    "uint64": 8,
    "float64": 8,
}
"""What a page can take and give back: dtype -> bytes an element. Each is numpy's name too."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """`data`: the values in C order, little-endian; `numpy.frombuffer(data, dtype).reshape(dims)` is the array."""

    dtype: str
    dims: tuple[int, ...]
    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) != math.prod(self.dims) * WIDTHS[self.dtype]:
            raise ValueError(f"{len(self.data)} bytes are no {self.dtype} of shape {list(self.dims)}")


Feeds = dict[str, Tensor]
"""Name of an input or output -> its value, of one sample."""
