"""A manifest read back, with nothing in it believed: for inspect and check, which look at strangers' folders.

Every field is checked for type, range and shape before it is used; fields that we do not know are passed over. What
comes out can be acted on: names stay in their folder, chunks tile their file.
"""

from __future__ import annotations

import re
from typing import Any, get_args

from ..catalogue import problem
from ..chunks.names import ASSET_NAME
from ..chunks.placement import ChunkRef, DataFile
from ..errors import InputError, printable
from ..graph.generation import Generation
from ..graph.model import Port
from .fields import (
    Invalid,
    field,
    integer,
    json_object,
    list_of,
    nullable,
    number,
    object_of,
    one_of,
    require,
    require_unique,
    table,
    text,
)
from .manifest import (
    PROVIDERS,
    SIZE_LIMIT,
    VERSION,
    AssetFile,
    Entry,
    FileRef,
    Load,
    Manifest,
    Measured,
    Provider,
    Requires,
    Stage,
    Variant,
)

_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,512}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DTYPE = re.compile(r"[a-z0-9_]{1,32}")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def parse(data: bytes, path: str) -> Manifest:
    """The manifest in `data`; `path` is for messages. InputError MB420 no manifest, MB421 version, MB422 content."""
    value = json_object(data, path, SIZE_LIMIT)
    version = value.get("version")
    if type(version) is not int:
        raise InputError(problem("MB420", "It has no version.", file=path))
    if version != VERSION:
        raise InputError(problem("MB421", f"Its version is {version}, this mbundle reads {VERSION}.", file=path))
    try:
        manifest = _manifest(value, "manifest")
        _check_files(manifest)
    except Invalid as invalid:
        where, wanted = invalid.args
        raise InputError(problem("MB422", f"{printable(where, 200)} must be {wanted}.", file=path)) from invalid
    return manifest


def _manifest(value: Any, at: str) -> Manifest:
    fields = object_of(value, at, {"version", "generator", "entries"})
    entries = field(fields, at, "entries", table)
    checked = {
        text(_NAME)(name, f"{at}.entries"): _entry(item, f"{at}.entries.{name}") for name, item in entries.items()
    }
    encodings = field(fields, at, "encodings", _encodings) if "encodings" in fields else {}
    return Manifest(checked, field(fields, at, "generator", text(_NAME)), encodings)


def _encodings(value: Any, at: str) -> dict[str, dict[str, int]]:
    """Of files that the manifest names, and of no others."""
    files = table(value, at)
    return {text(ASSET_NAME)(name, at): _sizes(sizes, f"{at}.{name}") for name, sizes in files.items()}


def _sizes(value: Any, at: str) -> dict[str, int]:
    sizes = table(value, at)
    return {one_of(("br", "zstd"))(name, at): integer(size, f"{at}.{name}") for name, size in sizes.items()}


def _entry(value: Any, at: str) -> Entry:
    fields = object_of(value, at, {"load", "assets", "variants"})
    load: Load = field(fields, at, "load", one_of(get_args(Load)))
    entry = Entry(field(fields, at, "variants", list_of(_variant)), load, field(fields, at, "assets", list_of(_asset)))
    require(len(entry.variants) > 0, f"{at}.variants", "a list of at least one")
    require_unique([variant.name for variant in entry.variants], f"{at}.variants")
    require_unique([asset.name for asset in entry.assets], f"{at}.assets")
    return entry


def _variant(value: Any, at: str) -> Variant:
    fields = object_of(value, at, {"name", "graph", "data", "inputs", "outputs", "requires", "measured"})
    variant = Variant(
        field(fields, at, "name", text(_NAME)),
        field(fields, at, "graph", _ref),
        field(fields, at, "data", list_of(_data)),
        field(fields, at, "inputs", list_of(_port)),
        field(fields, at, "outputs", list_of(_port)),
        field(fields, at, "requires", _requires),
        field(fields, at, "measured", _measured),
        field(fields, at, "providers", _providers) if "providers" in fields else PROVIDERS,
        field(fields, at, "stages", list_of(_stage)) if "stages" in fields else (),
        field(fields, at, "generation", _generation) if "generation" in fields else None,
    )
    require_unique([file.path for file in variant.data], f"{at}.data")
    require_unique([port.name for port in variant.inputs], f"{at}.inputs")
    require_unique([port.name for port in variant.outputs], f"{at}.outputs")
    _check_stages(variant, at)
    return variant


def _stage(value: Any, at: str) -> Stage:
    fields = object_of(value, at, {"graph", "data", "inputs", "outputs"})
    return Stage(
        field(fields, at, "graph", _ref),
        field(fields, at, "data", list_of(text(_PATH))),
        field(fields, at, "inputs", list_of(_port)),
        field(fields, at, "outputs", list_of(_port)),
    )


def _check_stages(variant: Variant, at: str) -> None:
    """Each takes what there is by then, makes what nobody has made before, and together they make all outputs."""
    files = {file.path for file in variant.data}
    known = [port.name for port in variant.inputs]
    for index, stage in enumerate(variant.stages):
        where = f"{at}.stages[{index}]"
        require(files.issuperset(stage.data), f"{where}.data", "paths of the variant's data")
        require_unique(list(stage.data), f"{where}.data")
        require(set(known).issuperset(p.name for p in stage.inputs), f"{where}.inputs", "made before")
        require_unique([port.name for port in stage.inputs], f"{where}.inputs")
        known += [port.name for port in stage.outputs]
        require_unique(known, f"{where}.outputs")
    made = set(known) if variant.stages else {port.name for port in variant.outputs}
    require(made.issuperset(port.name for port in variant.outputs), f"{at}.stages", "there for every output")


def _generation(value: Any, at: str) -> Generation:
    fields = object_of(value, at, {"layers", "heads", "headDim", "dtype", "bytesPerToken", "cache", "end"})
    return Generation(
        field(fields, at, "layers", integer),
        field(fields, at, "heads", integer),
        field(fields, at, "headDim", integer),
        field(fields, at, "dtype", text(_DTYPE)),
        field(fields, at, "bytesPerToken", integer),
        field(fields, at, "cache", list_of(_pair)),
        field(fields, at, "words", integer) if "words" in fields else 0,
        field(fields, at, "end", list_of(integer)),
        field(fields, at, "start", list_of(integer)) if "start" in fields else None,
        field(fields, at, "suppressed", list_of(integer)) if "suppressed" in fields else (),
        fields.get("inPlace") is True,
        field(fields, at, "webgpuBits", integer) if "webgpuBits" in fields else 0,
    )


def _pair(value: Any, at: str) -> tuple[str, str]:
    names = list_of(text(_NAME))(value, at)
    require(len(names) == 2, at, "an input and an output")
    return names[0], names[1]


def _providers(value: Any, at: str) -> tuple[Provider, ...]:
    named: tuple[Provider, ...] = list_of(one_of(PROVIDERS))(value, at)
    require_unique(list(named), at)
    return tuple(one for one in PROVIDERS if one in named)


def _asset(value: Any, at: str) -> AssetFile:
    fields = object_of(value, at, {"name", "file", "bytes", "sha256"})
    return AssetFile(field(fields, at, "name", text(_NAME)), _file(fields, at))


def _ref(value: Any, at: str) -> FileRef:
    return _file(object_of(value, at, {"file", "bytes", "sha256"}), at)


def _file(fields: dict[str, Any], at: str) -> FileRef:
    return FileRef(
        field(fields, at, "file", text(ASSET_NAME)),
        field(fields, at, "bytes", integer),
        field(fields, at, "sha256", text(_SHA256)),
    )


def _data(value: Any, at: str) -> DataFile:
    fields = object_of(value, at, {"path", "bytes", "chunks", "tensors"})
    numbers = field(fields, at, "tensors", list_of(integer))
    require(len(numbers) % 2 == 0, f"{at}.tensors", "pairs of offset and length")
    file = DataFile(
        field(fields, at, "path", text(_PATH)),
        field(fields, at, "bytes", integer),
        field(fields, at, "chunks", list_of(_chunk)),
        tuple(zip(numbers[::2], numbers[1::2], strict=True)),
    )
    _check_tiling(file, at)
    return file


def _chunk(value: Any, at: str) -> ChunkRef:
    fields = object_of(value, at, {"file", "offset", "bytes", "sha256"})
    ref = _file(fields, at)
    require(ref.nbytes > 0, f"{at}.bytes", "at least 1")
    return ChunkRef(ref.file, field(fields, at, "offset", integer), ref.nbytes, ref.sha256)


def _port(value: Any, at: str) -> Port:
    fields = object_of(value, at, {"name", "dtype", "shape"})
    return Port(
        field(fields, at, "name", text(_NAME)),
        field(fields, at, "dtype", text(_DTYPE)),
        field(fields, at, "shape", nullable(list_of(_dimension))),
    )


def _dimension(value: Any, at: str) -> int | str | None:
    if value is None:
        return None
    return text(_NAME)(value, at) if isinstance(value, str) else integer(value, at)


def _requires(value: Any, at: str) -> Requires:
    fields = object_of(value, at, {"ops", "dtypes", "shaderF16", "irVersion", "opset", "memory"})
    return Requires(
        field(fields, at, "ops", list_of(text(_NAME))),
        field(fields, at, "dtypes", list_of(text(_DTYPE))),
        field(fields, at, "shaderF16", one_of((True, False))),
        field(fields, at, "irVersion", integer),
        field(fields, at, "opset", integer),
        field(fields, at, "memory", integer),
    )


def _measured(value: Any, at: str) -> Measured:
    fields = object_of(value, at, {"bytes"})
    return Measured(
        field(fields, at, "bytes", integer),
        field(fields, at, "maxError", number) if "maxError" in fields else None,
        field(fields, at, "cosine", number) if "cosine" in fields else None,
    )


def _check_tiling(file: DataFile, at: str) -> None:
    end = 0
    for chunk in file.chunks:
        require(chunk.offset == end, f"{at}.chunks", "without gap or overlap, in order")
        end += chunk.nbytes
    require(end == file.nbytes, f"{at}.bytes", f"the {end} bytes of its chunks")
    free = 0
    for offset, nbytes in file.tensors:
        require(offset >= free, f"{at}.tensors", "ascending, without overlap")
        free = offset + nbytes
    require(free <= file.nbytes, f"{at}.tensors", "inside the file")


def _check_files(manifest: Manifest) -> None:
    """One name, one content: a runtime that has checked a file once may use it wherever it is named."""
    for name in manifest.encodings:
        require(name in manifest.files(), f"manifest.encodings.{name}", "a file that the manifest names")
    seen: dict[str, FileRef] = {}
    for entry in manifest.entries.values():
        for variant in entry.variants:
            chunks = [chunk for file in variant.data for chunk in file.chunks]
            refs = [FileRef(chunk.file, chunk.nbytes, chunk.sha256) for chunk in chunks]
            graphs = (variant.graph, *(stage.graph for stage in variant.stages))
            for ref in (*graphs, *refs, *(asset.ref for asset in entry.assets)):
                require(seen.setdefault(ref.file, ref) == ref, ref.file, "the same file everywhere")
