"""Samples of real inputs, from files or from a function of the config."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..catalogue import problem
from ..errors import StepError, printable
from ..graph.model import Port, Signature
from .base import Context

Array = NDArray[Any]
Feeds = dict[str, Array]
Source = tuple[str, ...] | Callable[[], Any]


def samples(source: Source, signature: Signature, context: Context, most: int) -> Iterator[Feeds]:
    """At most `most` samples, input name -> array of the input's dtype. Raises StepError (MB314)."""
    reader = _Reader(signature.inputs, context)
    whole = (feeds for name, value in _values(source, reader) for feeds in reader.split(name, value))
    yield from islice(whole, most)


def _values(source: Source, reader: _Reader) -> Iterator[tuple[str, Any]]:
    if not callable(source):
        yield from ((name, reader.load(name)) for name in source)
        return
    made = source()
    if isinstance(made, Mapping | np.ndarray):
        made = [made]
    if not isinstance(made, Iterable):
        reader.refuse("the calibration function", f"returned {type(made).__name__}, not samples")
    yield from ((f"sample {number} of the calibration function", value) for number, value in enumerate(made, 1))


class _Reader:
    def __init__(self, ports: tuple[Port, ...], context: Context) -> None:
        self._ports, self._context = ports, context

    def load(self, name: str) -> Any:
        """A mapping for an .npz, an array for an .npy; pickles are refused."""
        try:
            loaded = np.load(os.path.join(self._context.root, name), allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return {key: loaded[key] for key in loaded.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            self.refuse(name, f"cannot be read: {error}")

    def split(self, name: str, value: Any) -> Iterator[Feeds]:
        """The samples in one file's arrays: arrays with one dimension more than their input are rows of samples."""
        arrays = self._named(name, value)
        stacked = {p.name for p in self._ports if p.shape is not None and arrays[p.name].ndim == len(p.shape) + 1}
        for row in range(min((len(arrays[key]) for key in stacked), default=1)):
            yield {key: np.asarray(array[row]) if key in stacked else array for key, array in arrays.items()}

    def _named(self, name: str, value: Any) -> Feeds:
        if not isinstance(value, Mapping):
            if len(self._ports) != 1:
                self.refuse(name, f"is one array; the model has {len(self._ports)} inputs")
            value = {self._ports[0].name: value}
        for port in self._ports:
            if port.name not in value:
                self.refuse(name, f"has no array for the input {port.name!r}")
        return {port.name: self._fitting(name, port, np.asarray(value[port.name])) for port in self._ports}

    def _fitting(self, name: str, port: Port, array: Array) -> Array:
        """float64 for float32 and int64 for int32 are what numpy makes by itself."""
        wanted = np.dtype(port.dtype)
        if array.dtype.kind != wanted.kind:
            self.refuse(name, f"has {array.dtype} for the input {port.name!r}, which is {port.dtype}")
        if wanted.kind == "f" and not np.isfinite(array).all():
            self.refuse(name, f"has NaN or infinity for the input {port.name!r}")
        return np.asarray(array, wanted, order="C")

    def refuse(self, name: str, what: str) -> NoReturn:
        text = printable(f"{name} {what}", 300)
        raise StepError(problem("MB314", text, entry=self._context.entry, step="quantize_static"))
