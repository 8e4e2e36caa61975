"""From a Model to files: the graph file that is shipped, and private copies for libraries that want a path."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .model import Model
from .splice import Place, copy_region, in_memory, lies_in, pieces, size_of, write_pieces

MAX_INLINE = (1 << 31) - (1 << 24)
"""Bytes. protobuf's libraries stop at 2 GiB."""
_ALIGN = 64


def graph_file(model: Model, places: Sequence[Place]) -> bytes:
    """The bytes of the .onnx file whose weight i lies at `places[i]`: (location, offset), or None for inside."""
    if len(places) != len(model.weights):
        raise ValueError(f"{len(places)} places for {len(model.weights)} weights")
    return in_memory(pieces(model, places))


def private_copy(model: Model, folder: str) -> str:
    """The path of an .onnx file that holds the model, for a library that only reads it.

    That is the source itself where that is byte for byte what we would write; else "model.onnx" in `folder`, in
    one piece below 2 GiB, with "model.data" beside it above.
    """
    whole = pieces(model, [None] * len(model.weights))
    source = model.weights[0].region.path if model.weights else ""
    if source and lies_in(whole, source):
        return source
    path = os.path.join(folder, "model.onnx")
    if size_of(whole) <= MAX_INLINE:
        write_pieces(whole, path)
    else:
        write_pieces(pieces(model, _write_weights(model, os.path.join(folder, "model.data"))), path)
    return path


def _write_weights(model: Model, path: str) -> list[Place]:
    """Copies all weights into a new file, each 64-byte aligned; returns their places."""
    places: list[Place] = []
    at = 0
    with open(path, "xb") as file:
        for weight in model.weights:
            file.write(bytes(-at % _ALIGN))
            file.flush()
            at += -at % _ALIGN
            places.append((os.path.basename(path), at))
            copy_region(weight.region, file)
            at += weight.region.length
    return places
