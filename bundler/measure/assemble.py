"""An emitted variant put together again as an .onnx file with external data, every file verified."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from ..catalogue import problem
from ..chunks import names
from ..chunks.placement import ChunkRef
from ..emit.manifest import FileRef, Variant
from ..errors import InputError

GRAPH = "model.onnx"
_BLOCK = 1 << 20


def assemble(dist: str, variant: Variant, folder: str) -> str:
    """The path of the graph file in `folder`; a split variant's stages lie beside it (`stage`).

    InputError MB422: a file is missing, or not what the manifest says."""
    os.makedirs(folder, exist_ok=True)
    assets = os.path.join(dist, names.ASSETS)
    for data in variant.data:
        _join(assets, data.chunks, os.path.join(folder, data.path))
    for number, part in enumerate(variant.stages):
        _join(assets, [part.graph], stage(folder, number))
    path = os.path.join(folder, GRAPH)
    _join(assets, [variant.graph], path)
    return path


def stage(folder: str, number: int) -> str:
    """The path of a stage's graph file in the `folder` of `assemble`."""
    return os.path.join(folder, f"{number}.{GRAPH}")


def _join(assets: str, parts: Iterable[ChunkRef | FileRef], path: str) -> None:
    with open(path, "xb") as out:
        for part in parts:
            source, sha = os.path.join(assets, part.file), hashlib.sha256()
            try:
                with open(source, "rb") as file:
                    while block := file.read(_BLOCK):
                        sha.update(block)
                        out.write(block)
            except OSError as error:
                raise InputError(problem("MB422", f"A file that it names: {error.strerror}.", file=source)) from error
            if sha.hexdigest() != part.sha256:
                raise InputError(problem("MB422", f"{part.file} is not what the manifest says.", file=assets))
