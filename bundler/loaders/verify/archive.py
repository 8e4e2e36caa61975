"""Arrays in an uncompressed .npz, written one by one and read one by one: a golden set may be bigger than memory."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np

from .feeds import Array


class Writer:
    """A context manager around one .npz file, new or ("a") added to. Equal arrays give equal bytes: no times in it."""

    def __init__(self, path: str, mode: Literal["w", "a"] = "w") -> None:
        self._zip = zipfile.ZipFile(path, mode, zipfile.ZIP_STORED)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def put(self, key: str, array: Array) -> None:
        with self._zip.open(f"{key}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


class Column(Sequence[Array]):
    """The arrays of one name, sample by sample, each read from the disk when it is asked for."""

    def __init__(self, archive: Any, key: Callable[[int], str], count: int) -> None:
        self._archive, self._key, self._count = archive, key, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> list[Array]: ...
    def __getitem__(self, index: int | slice) -> Array | list[Array]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        array: Array = self._archive[self._key(index % self._count)]
        return array
