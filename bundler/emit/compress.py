"""Compressed twins of emitted files, for hosts that serve `<file>.br` or `<file>.zst` to browsers that take them.

A twin is as immutable as its file and belongs to the build as that does. It is made only where it saves something:
float32 weights hardly shrink, and a twin costs room on the host. Same content, options and library, same bytes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ..chunks import names
from .transaction import Transaction

Encoding = Literal["br", "zstd"]
SUFFIXES: Mapping[Encoding, str] = {"br": ".br", "zstd": ".zst"}
"""What nginx, Caddy and the dev server look for beside a file."""
LIBRARIES: Mapping[Encoding, str] = {"br": "brotli", "zstd": "zstandard"}
LEAST_SAVING = 0.05
_LEAST_BYTES = 1024
_SMALL = 1 << 20
_QUALITY: Mapping[Encoding, tuple[int, int, int]] = {"br": (5, 11, 9), "zstd": (3, 19, 12)}
"""For weights, for other files below _SMALL bytes, for longer ones. On weights the slow levels save nothing more and
take twenty times as long."""
_WINDOW = 23
"""Browsers refuse zstd with windows above 8 MiB."""
_SAMPLES, _SAMPLE = 4, 64 << 10
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
        weights, small, long = _QUALITY[self.encoding]
        if self.name.endswith(names.WEIGHTS):
            return weights
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
    if task.nbytes <= _SAMPLES * _SAMPLE:
        return True
    step = (task.nbytes - _SAMPLE) // (_SAMPLES - 1)
    before = after = 0
    with output.open(task.name) as file:
        for index in range(_SAMPLES):
            file.seek(index * step)
            sample = file.read(_SAMPLE)
            before += len(sample)
            after += sum(map(len, _encoded(task, iter([sample]))))
    return after <= before * (1 - LEAST_SAVING)


def _written(output: Transaction, task: _Task) -> tuple[int, str]:
    """The whole of it, block by block, so that no file need fit into memory."""
    sha, size = hashlib.sha256(), 0
    staged = output.stage()
    try:
        with output.open(task.name) as file:
            for piece in _encoded(task, iter(lambda: file.read(_BLOCK), b"")):
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


def _encoded(task: _Task, blocks: Iterator[bytes]) -> Iterator[bytes]:
    encoder = _brotli(task) if task.encoding == "br" else _zstd(task)
    step = encoder.process if task.encoding == "br" else encoder.compress
    for block in blocks:
        yield step(block)
    yield encoder.finish() if task.encoding == "br" else encoder.flush()


def _brotli(task: _Task) -> Any:
    import brotli

    return brotli.Compressor(quality=task.quality, lgwin=_WINDOW)


def _zstd(task: _Task) -> Any:
    import zstandard

    chosen = zstandard.ZstdCompressionParameters.from_level(task.quality, source_size=task.nbytes)
    window = min(_WINDOW, chosen.window_log)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        task.quality, source_size=task.nbytes, window_log=window, threads=0
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compressobj()
