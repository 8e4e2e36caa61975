"""An emitted variant put together again as an .onnx file with external data, for native onnxruntime."""

from __future__ import annotations

import os
import shutil

from ..catalogue import problem
from ..chunks import names
from ..emit.manifest import Variant
from ..errors import InputError


def assemble(dist: str, variant: Variant, folder: str) -> str:
    """The path of the graph file below the new `folder`. InputError MB422 when a file is missing."""
    os.makedirs(folder)
    assets = os.path.join(dist, names.ASSETS)
    for data in variant.data:
        _join([os.path.join(assets, chunk.file) for chunk in data.chunks], os.path.join(folder, data.path))
    path = os.path.join(folder, "model.onnx")
    _join([os.path.join(assets, variant.graph.file)], path)
    return path


def _join(parts: list[str], path: str) -> None:
    with open(path, "xb") as out:
        for part in parts:
            try:
                with open(part, "rb") as file:
                    shutil.copyfileobj(file, out, 1 << 20)
            except OSError as error:
                raise InputError(problem("MB422", f"A file that it names: {error.strerror}.", file=part)) from error
