"""Samples that a user gives: a file, several files, a function of the config, or a golden set that was recorded before.

A sample maps the names of the inputs to arrays; other names ("labels") are kept for the golden metric.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ...errors import printable
from ...graph.model import Model
from .feeds import Array, CannotFeed, Feeds, first_line
from .recorded import META, read

Given = str | tuple[str, ...] | Callable[[], Any]


def given(source: Given, model: Model) -> Iterator[Feeds]:
    """Every sample. Raises CannotFeed."""
    if callable(source):
        yield from _made(source, model)
        return
    for path in (source,) if isinstance(source, str) else source:
        try:
            yield from _file(path, model)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise CannotFeed(f"the golden file has no arrays for its inputs: {first_line(error)}") from error


def _file(path: str, model: Model) -> Iterator[Feeds]:
    """Keys of an .npz are "<input>", or "<sample>/<input>" for samples of different shapes."""
    names = [port.name for port in model.signature.inputs]
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        yield from _rows(_named(loaded, model), model)
        return
    with loaded as file:
        if META in file:
            yield from _recorded(path, file)
        elif f"0/{names[0]}" in file:
            yield from _numbered(file, names[0])
        else:
            yield from _rows({name: file[name] for name in (*names, *sorted(set(file.files) - set(names)))}, model)


def _recorded(path: str, file: Any) -> Iterator[Feeds]:
    baseline = read(path)
    for sample in range(baseline.samples):
        yield {name: file[f"{sample}/in/{index}"] for index, name in enumerate(baseline.inputs)}


def _numbered(file: Any, first: str) -> Iterator[Feeds]:
    for sample in range(sum(key.endswith(f"/{first}") for key in file.files)):
        prefix = f"{sample}/"
        yield {key.removeprefix(prefix): file[key] for key in file.files if key.startswith(prefix)}


def _made(source: Callable[[], Any], model: Model) -> Iterator[Feeds]:
    try:
        made = source()
        made = [made] if isinstance(made, Mapping | np.ndarray) else made
        if not isinstance(made, Iterable):
            raise TypeError(f"it returned {type(made).__name__}, not samples")
        for value in made:
            arrays = value if isinstance(value, Mapping) else _named(np.asarray(value), model)
            yield from _rows({name: np.asarray(array) for name, array in arrays.items()}, model)
    except CannotFeed:
        raise
    except Exception as error:
        raise CannotFeed(
            f"the function that makes samples fails: {type(error).__name__}: {first_line(error)}"
        ) from error


def _named(array: Array, model: Model) -> Feeds:
    names = [port.name for port in model.signature.inputs]
    if len(names) != 1:
        raise CannotFeed(f"one array is given for the inputs {printable(', '.join(names))}: give a mapping")
    return {names[0]: array}


def _rows(arrays: Feeds, model: Model) -> Iterator[Feeds]:
    """An array with one dimension more than its input is a row of samples; what is no input goes along row by row."""
    ports = {port.name: port for port in model.signature.inputs}
    for name in ports.keys() - arrays.keys():
        raise CannotFeed(f'there is no array for the input "{printable(name)}"')
    stacked = {name for name, p in ports.items() if p.shape is not None and arrays[name].ndim > len(p.shape)}
    rows = min((len(arrays[name]) for name in stacked), default=0)
    if not stacked:
        yield arrays
    extra = {name for name in arrays.keys() - ports.keys() if arrays[name].ndim and len(arrays[name]) == rows}
    for row in range(rows):
        yield {name: array[row] if name in stacked | extra else array for name, array in arrays.items()}
