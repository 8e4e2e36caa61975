"""Arrays in an uncompressed .npz, written one by one and read one by one: a golden set may be bigger than memory."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

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


class Column(NDArrayOperatorsMixin, Sequence[Array]):
    """The arrays of one name, sample by sample, each read from the disk when it is asked for.

    Where all have one shape it is an array of them, too, with the samples as first dimension: arithmetic, methods,
    `shape` and indices such as `[:, 0]` read them all, anew each time; they raise ValueError where the shapes differ.
    A slice of samples is a Column.
    """

    def __init__(self, archive: Any, key: Callable[[int], str], count: int) -> None:
        self._archive, self._key, self._count = archive, key, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> Column: ...
    @overload
    def __getitem__(self, index: tuple[Any, ...] | Array) -> Any: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            chosen = range(*index.indices(self._count))
            return Column(self._archive, lambda n: self._key(chosen[n]), len(chosen))
        if not isinstance(index, int | np.integer):
            return self.__array__()[index]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        array: Array = self._archive[self._key(int(index) % self._count)]
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("the samples lie on the disk: an array of them is always a copy")
        samples = list(self)
        if len({sample.shape for sample in samples}) > 1:
            raise ValueError("the samples differ in shape, so they are no array: go through them one by one")
        return np.asarray(samples, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = (one.__array__() if isinstance(one, Column) else one for one in inputs)
        return getattr(ufunc, method)(*arrays, **options)

    def __getattr__(self, name: str) -> Any:
        """What only arrays have; not their private names, which whoever copies or prints an object asks for."""
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"neither a sequence of arrays nor an array has {name!r}")
        return getattr(self.__array__(), name)
