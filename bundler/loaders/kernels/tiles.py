"""Threads that share out the tiles of a matrix. numpy lets go of the GIL inside a tile."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...catalogue import problem
from ...errors import InputError
from ...graph.model import Region

TILE = 1 << 17
"""Elements, half a MiB of float32: what one thread works on stays in its cache, and memory is touched once."""
THREADS = 2
FLOATS: Mapping[str, Any] = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16}
"""Types that a kernel reads, and how numpy sees their bytes."""

Array: TypeAlias = NDArray[Any]
T = TypeVar("T")
R = TypeVar("R")


class Tile(NamedTuple):
    """Rows and columns [from, to) of a matrix."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.bottom - self.top, self.right - self.left

    @property
    def place(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


def tiles(rows: int, cols: int, step: int = 1, width: int = 1, size: int = TILE) -> Iterator[Tile]:
    """Cuts a matrix; tiles have a multiple of `step` rows and of `width` columns, but for the last ones."""
    across = min(cols, max(size // step, 1))
    across = min(cols, across + -across % width)
    down = max(size // max(across, 1) // step, 1) * step
    for top in range(0, rows, down):
        for left in range(0, cols, across):
            yield Tile(top, min(top + down, rows), left, min(left + across, cols))


class Buffers(threading.local):
    """What a thread keeps from tile to tile: one array a name, grown as needed, for fresh pages cost more than the
    arithmetic (0.63 GB/s); and the file that it read last and the one that it wrote to, for with two threads about,
    opening one for each tile took as long as reading it."""

    def __init__(self) -> None:
        self._flat: dict[str, Array] = {}
        self._files: dict[int, _File] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
        """An uninitialised array of that shape, valid until the same thread asks for `name` again."""
        need = prod(shape) * np.dtype(dtype).itemsize
        flat = self._flat.get(name)
        if flat is None or flat.nbytes < need:
            flat = self._flat[name] = np.empty(need + need // 8, np.uint8)
        array: Array = flat[:need].view(dtype).reshape(shape)
        return array

    def file(self, path: str, mode: int) -> int:
        """A descriptor, valid until the same thread asks for another path in that mode, or ends."""
        held = self._files.get(mode)
        if held is None or held.path != path:
            held = self._files[mode] = _File(path, mode)
        return held.number


class _File:
    """Closed with its last reference, wherever the thread ends."""

    def __init__(self, path: str, mode: int) -> None:
        self.path, self.number = path, os.open(path, mode | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "number"):  # it could be opened
            os.close(self.number)


class Workers:
    """A context manager around a few threads, the one that calls among them."""

    def __init__(self, threads: int = THREADS) -> None:
        self.buffers = Buffers()
        self._helpers = threads - 1
        self._pool = ThreadPoolExecutor(max(self._helpers, 1), thread_name_prefix="kernel")

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """`work` on every item; the results in their order.

        Each thread takes items until none is left: a future for each tile took a sixth of the processor time of it all.
        """
        todo, found = deque(enumerate(items)), dict[int, R]()
        count = len(todo)
        helpers = [self._pool.submit(_drain, work, todo, found) for _ in range(min(self._helpers, count - 1))]
        try:
            _drain(work, todo, found)
        finally:
            wait(helpers)
        for helper in helpers:
            helper.result()
        return [found[index] for index in range(count)]


def _drain(work: Callable[[T], R], todo: deque[tuple[int, T]], found: dict[int, R]) -> None:
    """Several threads at once: taking from a deque is atomic. An error of one leaves nothing for the others."""
    try:
        while todo:
            try:
                index, item = todo.popleft()
            except IndexError:  # another one was faster
                return
            found[index] = work(item)
    except BaseException:
        todo.clear()
        raise


@dataclass(frozen=True, slots=True)
class Matrix:
    """A weight seen as rows and columns, row-major in its file. `dtype`: a key of FLOATS."""

    region: Region
    dtype: str
    rows: int
    cols: int

    def read(self, tile: Tile, buffers: Buffers) -> Array:
        """The tile as float32, in the buffer "read". Raises InputError (MB265) when the file ends before it."""
        stored = FLOATS[self.dtype]
        found = self.raw(tile, buffers, "read" if stored is np.float32 else "stored", stored)
        if stored is np.float32:
            return found
        values = buffers.get("read", tile.shape)
        if self.dtype == "bfloat16":
            np.left_shift(found, 16, out=values.view(np.uint32), dtype=np.uint32)
        else:
            np.copyto(values, found)
        return values

    def raw(self, tile: Tile, buffers: Buffers, name: str, stored: Any) -> Array:
        """The tile's bytes as they lie in the file, seen as `stored` (as wide as the dtype), in the buffer `name`."""
        found = buffers.get(name, tile.shape, stored)
        self._fill(found, tile, buffers.file(self.region.path, os.O_RDONLY))
        return found

    def _fill(self, target: Array, tile: Tile, file: int) -> None:
        size = target.itemsize
        whole = tile.right - tile.left == self.cols
        runs = [(target, tile.top)] if whole else [(target[i], tile.top + i) for i in range(len(target))]
        for array, row in runs:
            self._read(file, array, self.region.offset + (row * self.cols + tile.left) * size)

    def _read(self, file: int, array: Array, at: int) -> None:
        view = memoryview(array.reshape(-1).view(np.uint8).data)
        while view:
            count = os.preadv(file, [view], at)
            if not count:
                raise InputError(problem("MB265", "the file became shorter while it was read", file=self.region.path))
            view, at = view[count:], at + count
