"""Models for the cache's tests. The cache never looks into a skeleton, so these need no protobuf."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from bundler.cache.store import Store
from bundler.graph.model import Model, Port, Region, Signature, Weight

SIGNATURE = Signature((Port("x", "float32", (None, "n", 4)),), (Port("y", "float32", None),))


OPS = (("MatMul", 2), ("com.x::Y", 1))


def model_at(path: Path, contents: Sequence[bytes], skeleton: bytes = b"\x08\x08skeleton\n\x00") -> Model:
    """A Model whose weights are `contents`, one after the other in the file `path`, which is written."""
    path.write_bytes(b"".join(contents))
    weights, offset = [], 0
    for index, content in enumerate(contents):
        region = Region(os.path.realpath(path), offset, len(content))
        weights.append(Weight(f"w{index}", "uint8", (len(content),), region))
        offset += len(content)
    return Model(skeleton, tuple(weights), SIGNATURE, 8, (("", 17), ("com.x", 1)), OPS, (("int8", 2), ("float32", 1)))


def contents(model: Model) -> list[bytes]:
    """The bytes of each weight."""
    return [Path(w.region.path).read_bytes()[w.region.offset :][: w.region.length] for w in model.weights]


def without_places(model: Model) -> tuple[object, ...]:
    """All of a Model but where its weights lie."""
    weights = tuple((weight.name, weight.dtype, weight.shape, weight.region.length) for weight in model.weights)
    return (model.skeleton, weights, model.signature, model.ir_version, model.opsets, model.ops, model.dtypes)


def age(path: Path, seconds: float = 10) -> None:
    """Makes a file older, as far as mtime goes."""
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - int(seconds * 1e9)))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files_of(store: Store, kind: str) -> list[Path]:
    """All files in a folder of the store ("blobs", "steps", "tmp", "live")."""
    folder = Path(store.folder, kind)
    return sorted(path for path in folder.rglob("*") if path.is_file())
