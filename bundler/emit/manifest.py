"""model-manifest.json: what a build consists of. docs/manifest.md explains it, docs/manifest.schema.json defines it.

Deterministic: sorted keys, no times, no absolute paths, one line, a line feed at the end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from ..catalogue import problem
from ..chunks.placement import DataFile
from ..errors import InputError
from ..graph.generation import Generation
from ..graph.model import Port

VERSION = 1
SIZE_LIMIT = 64 << 20
"""Bytes of a manifest that we are willing to read. A model with 10,000 tensors has one of 0.3 MB."""

Load = Literal["lazy", "idle", "eager"]
Provider = Literal["wasm", "webgpu"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)


class FileRef(NamedTuple):
    """A file in assets/."""

    file: str
    nbytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class AssetFile:
    """A file that an entry ships beside its model. `name`: what the app asks for, its name before the build."""

    name: str
    ref: FileRef


@dataclass(frozen=True, slots=True)
class Requires:
    """What a browser must offer to run a variant. `memory`: bytes of weights and graph."""

    ops: tuple[str, ...]
    dtypes: tuple[str, ...]
    shader_f16: bool
    ir_version: int
    opset: int
    memory: int


@dataclass(frozen=True, slots=True)
class Measured:
    """`nbytes`: over the network, graph and chunks. The others: against the source's outputs, None: not measured."""

    nbytes: int
    max_error: float | None = None
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a variant with a session of its own. `data`: paths of the variant's logical files that it reads.
    `inputs` are inputs of the variant, or outputs of earlier stages; `outputs` are outputs of the variant, or go on."""

    graph: FileRef
    data: tuple[str, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """`graph` is the whole model, also of a split variant: all tools but a page read that."""

    name: str
    graph: FileRef
    data: tuple[DataFile, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    requires: Requires
    measured: Measured
    providers: tuple[Provider, ...] = PROVIDERS
    """Where a runtime may use it: what a golden check found to be wrong on one is not listed."""
    stages: tuple[Stage, ...] = ()
    """In the order in which they run; none: it is not split."""
    generation: Generation | None = None
    """How it writes tokens; None: it does not."""

    @property
    def graphs(self) -> tuple[FileRef, ...]:
        """What a page downloads beside the chunks."""
        return tuple(stage.graph for stage in self.stages) or (self.graph,)

    @property
    def downloads(self) -> tuple[FileRef, ...]:
        """All that a page downloads to run all of it, each file once."""
        chunks = (FileRef(one.file, one.nbytes, one.sha256) for data in self.data for one in data.chunks)
        return tuple({ref.file: ref for ref in (*self.graphs, *chunks)}.values())


@dataclass(frozen=True, slots=True)
class Entry:
    """`variants`: in the order in which the runtime tries them."""

    variants: tuple[Variant, ...]
    load: Load = "lazy"
    assets: tuple[AssetFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    entries: Mapping[str, Entry]
    generator: str
    encodings: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Name in assets/ -> "br" or "zstd" -> bytes of the compressed twin beside it."""

    def files(self) -> dict[str, FileRef]:
        """Every file in assets/ that the manifest names, by name."""
        found: dict[str, FileRef] = {}
        for entry in self.entries.values():
            found.update((asset.ref.file, asset.ref) for asset in entry.assets)
            for variant in entry.variants:
                found.update((ref.file, ref) for ref in (variant.graph, *variant.downloads))
        return found

    def to_bytes(self) -> bytes:
        import orjson  # here: reading a manifest does not need it

        return orjson.dumps(_manifest(self), option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def read_manifest(path: str) -> Manifest:
    """The manifest at `path`, a file or an output folder. Nothing in it is trusted. InputError MB420-MB422."""
    from .manifest_reader import parse

    if os.path.isdir(path):
        path = os.path.join(path, "model-manifest.json")
    try:
        with open(path, "rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise InputError(problem("MB420", f"It cannot be read: {error.strerror}.", file=path)) from error
    return parse(data, path)


def _manifest(manifest: Manifest) -> dict[str, Any]:
    entries = {name: _entry(entry) for name, entry in manifest.entries.items()}
    value = {"version": VERSION, "generator": manifest.generator, "entries": entries}
    return value | ({"encodings": manifest.encodings} if manifest.encodings else {})


def _entry(entry: Entry) -> dict[str, Any]:
    assets = [{"name": asset.name, **_ref(asset.ref)} for asset in entry.assets]
    return {"load": entry.load, "assets": assets, "variants": [_variant(variant) for variant in entry.variants]}


def _variant(variant: Variant) -> dict[str, Any]:
    everywhere = variant.providers == PROVIDERS
    optional: dict[str, Any] = {"stages": [_stage(stage) for stage in variant.stages]} if variant.stages else {}
    optional |= {} if variant.generation is None else {"generation": _generation(variant.generation)}
    return (
        optional
        | ({} if everywhere else {"providers": list(variant.providers)})
        | {
            "name": variant.name,
            "graph": _ref(variant.graph),
            "data": [_data(file) for file in variant.data],
            "inputs": [_port(port) for port in variant.inputs],
            "outputs": [_port(port) for port in variant.outputs],
            "requires": _requires(variant.requires),
            "measured": _measured(variant.measured),
        }
    )


def _stage(stage: Stage) -> dict[str, Any]:
    return {
        "graph": _ref(stage.graph),
        "data": list(stage.data),
        "inputs": [_port(port) for port in stage.inputs],
        "outputs": [_port(port) for port in stage.outputs],
    }


def _generation(found: Generation) -> dict[str, Any]:
    return {
        "layers": found.layers,
        "heads": found.heads,
        "headDim": found.head,
        "dtype": found.dtype,
        "bytesPerToken": found.bytes_per_token,
        "cache": [list(pair) for pair in found.cache],
        "end": list(found.end),
        **({"words": found.words} if found.words else {}),
        **({} if found.start is None else {"start": list(found.start)}),
        **({"suppressed": list(found.suppressed)} if found.suppressed else {}),
        **({"inPlace": True} if found.in_place else {}),
        **({"webgpuBits": found.webgpu_bits} if found.webgpu_bits else {}),
    }


def _ref(ref: FileRef) -> dict[str, Any]:
    return {"file": ref.file, "bytes": ref.nbytes, "sha256": ref.sha256}


def _data(file: DataFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "bytes": file.nbytes,
        "chunks": [
            {"file": chunk.file, "offset": chunk.offset, "bytes": chunk.nbytes, "sha256": chunk.sha256}
            for chunk in file.chunks
        ],
        "tensors": [number for place in file.tensors for number in place],
    }


def _port(port: Port) -> dict[str, Any]:
    return {"name": port.name, "dtype": port.dtype, "shape": None if port.shape is None else list(port.shape)}


def _requires(requires: Requires) -> dict[str, Any]:
    return {
        "ops": list(requires.ops),
        "dtypes": list(requires.dtypes),
        "shaderF16": requires.shader_f16,
        "irVersion": requires.ir_version,
        "opset": requires.opset,
        "memory": requires.memory,
    }


def _measured(measured: Measured) -> dict[str, Any]:
    optional = {"maxError": measured.max_error, "cosine": measured.cosine}
    return {"bytes": measured.nbytes, **{key: value for key, value in optional.items() if value is not None}}
