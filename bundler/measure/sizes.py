"""What visitors download, from the manifest and the files beside it. Moves no model."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass

from ..chunks import names
from ..emit.loader import stem
from ..emit.manifest import Entry, FileRef, Manifest, Variant
from . import ort


@dataclass(frozen=True, slots=True)
class Weight:
    """`files`: graph and chunks -> bytes as they are sent. `first_load`: these, the loader and the assets of the entry,
    and onnxruntime-web where the output has its own."""

    files: dict[str, int]
    first_load: int

    @property
    def nbytes(self) -> int:
        return sum(self.files.values())


def weigh(manifest: Manifest, dist: str, entry: str, variant: Variant) -> Weight:
    sent = _sent(manifest, variant.downloads)
    assets = _sent(manifest, [asset.ref for asset in manifest.entries[entry].assets])
    return Weight(sent, sum(sent.values()) + sum(assets.values()) + _loader(manifest, dist, entry))


def variants(manifest: Manifest) -> Iterable[tuple[str, Entry, Variant]]:
    return ((name, entry, one) for name, entry in sorted(manifest.entries.items()) for one in entry.variants)


def _sent(manifest: Manifest, files: Iterable[FileRef]) -> dict[str, int]:
    """Of the smallest form that the output has of each file."""
    return {ref.file: min([ref.nbytes, *manifest.encodings.get(ref.file, {}).values()]) for ref in files}


def _loader(manifest: Manifest, dist: str, entry: str) -> int:
    """The entry's module, the manifest, the runtime's modules (also rarely needed ones), onnxruntime-web's wasm."""
    module = os.path.join(dist, "entries", f"{stem(entry)}.js")
    runtime = ort.runtime(module)
    paths = [module, os.path.join(dist, "model-manifest.json")]
    paths += (
        glob.glob(os.path.join(glob.escape(os.path.join(dist, os.path.dirname(runtime))), "*.js")) if runtime else []
    )
    pair = (ort.own(module) or {}).get("wasm", {})
    twins = manifest.encodings
    own = [
        min([_size(os.path.join(dist, names.ASSETS, file)), *twins.get(file, {}).values()]) for file in pair.values()
    ]
    return sum(map(_size, paths)) + sum(own)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
