"""Compressed twins of emitted files, for hosts that serve `<file>.br` or `<file>.zst` to browsers that take them.

A twin is as immutable as its file and belongs to the build as that does. It is made only where it saves something:
float32 weights hardly shrink, and a twin costs room on the host. Same content, options and library, same bytes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from ..chunks import names
from ..squeeze import FOR_WEIGHTS, LIBRARIES, SAMPLE, SAMPLES, Encoding, encoded, left_of
from .transaction import Transaction

SUFFIXES: Mapping[Encoding, str] = {"br": ".br", "zstd": ".zst"}
"""What nginx, Caddy and the dev server look for beside a file."""
LEAST_SAVING = 0.05
_LEAST_BYTES = 1024
_SMALL = 1 << 20
_QUALITY: Mapping[Encoding, tuple[int, int]] = {"br": (11, 9), "zstd": (19, 12)}
"""For files below _SMALL bytes, for longer ones; FOR_WEIGHTS for weights."""
_BLOCK = 1 << 20


class Known(Protocol):
    """What is remembered from build to build: a key -> (bytes, sha256) of the twin, (0, "") where none pays."""

    def get(self, key: str) -> tuple[int, str] | None: ...
    def put(self, key: str, size: int, sha256: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Task:
    name: str
    encoding: Encoding
    nbytes: int
    sha256: str

    @property
    def twin(self) -> str:
        return self.name + SUFFIXES[self.encoding]

    @property
    def quality(self) -> int:
        if self.name.endswith(names.WEIGHTS):
            return FOR_WEIGHTS[self.encoding]
        small, long = _QUALITY[self.encoding]
        return small if self.nbytes < _SMALL else long

    def key(self) -> str:
        version = importlib.metadata.version(LIBRARIES[self.encoding])
        return f"{self.sha256} {self.encoding} {self.quality} {version}"


def compress(
    output: Transaction, encodings: Sequence[Encoding], known: Known, jobs: int = 1
) -> dict[str, dict[str, int]]:
    """Adds twins of the files in assets/ to this build: name there -> encoding -> bytes on the wire."""
    files = {name: mark for name, mark in sorted(output.files.items()) if name.startswith(f"{names.ASSETS}/")}
    tasks = [
        _Task(name, encoding, mark.nbytes, mark.sha256)
        for name, mark in files.items()
        for encoding in encodings
        if mark.nbytes >= _LEAST_BYTES
    ]
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="compress") as pool:
        sizes = list(pool.map(lambda task: _twin(output, task, known), tasks))
    found: dict[str, dict[str, int]] = {}
    for task, size in zip(tasks, sizes, strict=True):
        if size:
            found.setdefault(task.name.removeprefix(f"{names.ASSETS}/"), {})[task.encoding] = size
    return found


def _twin(output: Transaction, task: _Task, known: Known) -> int:
    """Bytes of the twin; 0 when there is none."""
    key = task.key()
    last = known.get(key)
    if last is not None and (last[0] == 0 or output.have(task.twin, last[1], last[0])):
        return last[0]
    size, sha256 = _written(output, task) if _pays(output, task) else (0, "")
    known.put(key, size, sha256)
    return size


def _pays(output: Transaction, task: _Task) -> bool:
    """By samples from all over a long file."""
    if task.nbytes <= SAMPLES * SAMPLE:
        return True

    def encode(sample: bytes) -> int:
        return sum(map(len, encoded(task.encoding, task.quality, task.nbytes, iter([sample]))))

    with output.open(task.name) as file:

        def read(start: int, length: int) -> bytes:
            file.seek(start)
            return bytes(file.read(length))

        return left_of(read, task.nbytes, encode) <= 1 - LEAST_SAVING


def _written(output: Transaction, task: _Task) -> tuple[int, str]:
    """The whole of it, block by block, so that no file need fit into memory."""
    sha, size = hashlib.sha256(), 0
    staged = output.stage()
    try:
        with output.open(task.name) as file:
            for piece in encoded(task.encoding, task.quality, task.nbytes, iter(lambda: file.read(_BLOCK), b"")):
                staged.write(piece)
                sha.update(piece)
                size += len(piece)
    except BaseException:
        staged.discard()
        raise
    if size > task.nbytes * (1 - LEAST_SAVING):
        staged.discard()
        return 0, ""
    staged.finish(task.twin, sha.hexdigest())
    return size, sha.hexdigest()
