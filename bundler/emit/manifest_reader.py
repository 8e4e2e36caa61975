"""A manifest read back, with nothing in it believed: for inspect and check, which look at strangers' folders.

Every field is checked for type, range and shape before it is used; fields that we do not know are passed over. What
comes out can be acted on: names stay in their folder, chunks tile their file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar, get_args

from ..catalogue import problem
from ..chunks.names import ASSET_NAME
from ..chunks.placement import ChunkRef, DataFile
from ..errors import InputError, printable
from ..graph.generation import Generation
from ..graph.model import Port
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

T = TypeVar("T")
Check = Callable[[Any, str], T]

_MOST = 2**53 - 1
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,512}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DTYPE = re.compile(r"[a-z0-9_]{1,32}")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class _Invalid(Exception):
    """(where, what it must be)."""


def parse(data: bytes, path: str) -> Manifest:
    """The manifest in `data`; `path` is for messages. InputError MB420 no manifest, MB421 version, MB422 content."""
    value = _json(data, path)
    version = value.get("version")
    if type(version) is not int:
        raise InputError(problem("MB420", "It has no version.", file=path))
    if version != VERSION:
        raise InputError(problem("MB421", f"Its version is {version}, this mbundle reads {VERSION}.", file=path))
    try:
        manifest = _manifest(value, "manifest")
        _check_files(manifest)
    except _Invalid as invalid:
        where, wanted = invalid.args
        raise InputError(problem("MB422", f"{printable(where, 200)} must be {wanted}.", file=path)) from invalid
    return manifest


def _json(data: bytes, path: str) -> dict[str, Any]:
    if len(data) > SIZE_LIMIT:
        raise InputError(problem("MB420", f"It has more than {SIZE_LIMIT >> 20} MiB.", file=path))
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(problem("MB420", "It is not JSON.", file=path)) from error
    except _Invalid as invalid:
        where, wanted = invalid.args
        raise InputError(problem("MB422", f"{printable(where)} must be {wanted}.", file=path)) from invalid
    if not isinstance(value, dict):
        raise InputError(problem("MB420", "It is JSON, but not an object.", file=path))
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise _Invalid(f'the key "{twice}"', "there once")
    return found


def _constant(text: str) -> Any:
    raise _Invalid(text, "a number that JSON has")


def _manifest(value: Any, at: str) -> Manifest:
    fields = _object(value, at, {"version", "generator", "entries"})
    entries = _field(fields, at, "entries", _table)
    checked = {
        _text(_NAME)(name, f"{at}.entries"): _entry(item, f"{at}.entries.{name}") for name, item in entries.items()
    }
    encodings = _field(fields, at, "encodings", _encodings) if "encodings" in fields else {}
    return Manifest(checked, _field(fields, at, "generator", _text(_NAME)), encodings)


def _encodings(value: Any, at: str) -> dict[str, dict[str, int]]:
    """Of files that the manifest names, and of no others."""
    files = _table(value, at)
    return {_text(ASSET_NAME)(name, at): _sizes(sizes, f"{at}.{name}") for name, sizes in files.items()}


def _sizes(value: Any, at: str) -> dict[str, int]:
    sizes = _table(value, at)
    return {_one_of(("br", "zstd"))(name, at): _integer(size, f"{at}.{name}") for name, size in sizes.items()}


def _entry(value: Any, at: str) -> Entry:
    fields = _object(value, at, {"load", "assets", "variants"})
    load: Load = _field(fields, at, "load", _one_of(get_args(Load)))
    entry = Entry(_field(fields, at, "variants", _list(_variant)), load, _field(fields, at, "assets", _list(_asset)))
    _require(len(entry.variants) > 0, f"{at}.variants", "a list of at least one")
    _require_unique([variant.name for variant in entry.variants], f"{at}.variants")
    _require_unique([asset.name for asset in entry.assets], f"{at}.assets")
    return entry


def _variant(value: Any, at: str) -> Variant:
    fields = _object(value, at, {"name", "graph", "data", "inputs", "outputs", "requires", "measured"})
    variant = Variant(
        _field(fields, at, "name", _text(_NAME)),
        _field(fields, at, "graph", _ref),
        _field(fields, at, "data", _list(_data)),
        _field(fields, at, "inputs", _list(_port)),
        _field(fields, at, "outputs", _list(_port)),
        _field(fields, at, "requires", _requires),
        _field(fields, at, "measured", _measured),
        _field(fields, at, "providers", _providers) if "providers" in fields else PROVIDERS,
        _field(fields, at, "stages", _list(_stage)) if "stages" in fields else (),
        _field(fields, at, "generation", _generation) if "generation" in fields else None,
    )
    _require_unique([file.path for file in variant.data], f"{at}.data")
    _require_unique([port.name for port in variant.inputs], f"{at}.inputs")
    _require_unique([port.name for port in variant.outputs], f"{at}.outputs")
    _check_stages(variant, at)
    return variant


def _stage(value: Any, at: str) -> Stage:
    fields = _object(value, at, {"graph", "data", "inputs", "outputs"})
    return Stage(
        _field(fields, at, "graph", _ref),
        _field(fields, at, "data", _list(_text(_PATH))),
        _field(fields, at, "inputs", _list(_port)),
        _field(fields, at, "outputs", _list(_port)),
    )


def _check_stages(variant: Variant, at: str) -> None:
    """Each takes what there is by then, makes what nobody has made before, and together they make all outputs."""
    files = {file.path for file in variant.data}
    known = [port.name for port in variant.inputs]
    for index, stage in enumerate(variant.stages):
        where = f"{at}.stages[{index}]"
        _require(files.issuperset(stage.data), f"{where}.data", "paths of the variant's data")
        _require_unique(list(stage.data), f"{where}.data")
        _require(set(known).issuperset(p.name for p in stage.inputs), f"{where}.inputs", "made before")
        _require_unique([port.name for port in stage.inputs], f"{where}.inputs")
        known += [port.name for port in stage.outputs]
        _require_unique(known, f"{where}.outputs")
    made = set(known) if variant.stages else {port.name for port in variant.outputs}
    _require(made.issuperset(port.name for port in variant.outputs), f"{at}.stages", "there for every output")


def _generation(value: Any, at: str) -> Generation:
    fields = _object(value, at, {"layers", "heads", "headDim", "dtype", "bytesPerToken", "cache", "end"})
    return Generation(
        _field(fields, at, "layers", _integer),
        _field(fields, at, "heads", _integer),
        _field(fields, at, "headDim", _integer),
        _field(fields, at, "dtype", _text(_DTYPE)),
        _field(fields, at, "bytesPerToken", _integer),
        _field(fields, at, "cache", _list(_pair)),
        _field(fields, at, "words", _integer) if "words" in fields else 0,
        _field(fields, at, "end", _list(_integer)),
        _field(fields, at, "start", _list(_integer)) if "start" in fields else None,
        _field(fields, at, "suppressed", _list(_integer)) if "suppressed" in fields else (),
        fields.get("inPlace") is True,
    )


def _pair(value: Any, at: str) -> tuple[str, str]:
    names = _list(_text(_NAME))(value, at)
    _require(len(names) == 2, at, "an input and an output")
    return names[0], names[1]


def _providers(value: Any, at: str) -> tuple[Provider, ...]:
    named: tuple[Provider, ...] = _list(_one_of(PROVIDERS))(value, at)
    _require_unique(list(named), at)
    return tuple(one for one in PROVIDERS if one in named)


def _asset(value: Any, at: str) -> AssetFile:
    fields = _object(value, at, {"name", "file", "bytes", "sha256"})
    return AssetFile(_field(fields, at, "name", _text(_NAME)), _file(fields, at))


def _ref(value: Any, at: str) -> FileRef:
    return _file(_object(value, at, {"file", "bytes", "sha256"}), at)


def _file(fields: dict[str, Any], at: str) -> FileRef:
    return FileRef(
        _field(fields, at, "file", _text(ASSET_NAME)),
        _field(fields, at, "bytes", _integer),
        _field(fields, at, "sha256", _text(_SHA256)),
    )


def _data(value: Any, at: str) -> DataFile:
    fields = _object(value, at, {"path", "bytes", "chunks", "tensors"})
    numbers = _field(fields, at, "tensors", _list(_integer))
    _require(len(numbers) % 2 == 0, f"{at}.tensors", "pairs of offset and length")
    file = DataFile(
        _field(fields, at, "path", _text(_PATH)),
        _field(fields, at, "bytes", _integer),
        _field(fields, at, "chunks", _list(_chunk)),
        tuple(zip(numbers[::2], numbers[1::2], strict=True)),
    )
    _check_tiling(file, at)
    return file


def _chunk(value: Any, at: str) -> ChunkRef:
    fields = _object(value, at, {"file", "offset", "bytes", "sha256"})
    ref = _file(fields, at)
    _require(ref.nbytes > 0, f"{at}.bytes", "at least 1")
    return ChunkRef(ref.file, _field(fields, at, "offset", _integer), ref.nbytes, ref.sha256)


def _port(value: Any, at: str) -> Port:
    fields = _object(value, at, {"name", "dtype", "shape"})
    return Port(
        _field(fields, at, "name", _text(_NAME)),
        _field(fields, at, "dtype", _text(_DTYPE)),
        _field(fields, at, "shape", _nullable(_list(_dimension))),
    )


def _dimension(value: Any, at: str) -> int | str | None:
    if value is None:
        return None
    return _text(_NAME)(value, at) if isinstance(value, str) else _integer(value, at)


def _requires(value: Any, at: str) -> Requires:
    fields = _object(value, at, {"ops", "dtypes", "shaderF16", "irVersion", "opset", "memory"})
    return Requires(
        _field(fields, at, "ops", _list(_text(_NAME))),
        _field(fields, at, "dtypes", _list(_text(_DTYPE))),
        _field(fields, at, "shaderF16", _one_of((True, False))),
        _field(fields, at, "irVersion", _integer),
        _field(fields, at, "opset", _integer),
        _field(fields, at, "memory", _integer),
    )


def _measured(value: Any, at: str) -> Measured:
    fields = _object(value, at, {"bytes"})
    return Measured(
        _field(fields, at, "bytes", _integer),
        _field(fields, at, "maxError", _number) if "maxError" in fields else None,
        _field(fields, at, "cosine", _number) if "cosine" in fields else None,
    )


def _check_tiling(file: DataFile, at: str) -> None:
    end = 0
    for chunk in file.chunks:
        _require(chunk.offset == end, f"{at}.chunks", "without gap or overlap, in order")
        end += chunk.nbytes
    _require(end == file.nbytes, f"{at}.bytes", f"the {end} bytes of its chunks")
    free = 0
    for offset, nbytes in file.tensors:
        _require(offset >= free, f"{at}.tensors", "ascending, without overlap")
        free = offset + nbytes
    _require(free <= file.nbytes, f"{at}.tensors", "inside the file")


def _check_files(manifest: Manifest) -> None:
    """One name, one content: a runtime that has checked a file once may use it wherever it is named."""
    for name in manifest.encodings:
        _require(name in manifest.files(), f"manifest.encodings.{name}", "a file that the manifest names")
    seen: dict[str, FileRef] = {}
    for entry in manifest.entries.values():
        for variant in entry.variants:
            chunks = [chunk for file in variant.data for chunk in file.chunks]
            refs = [FileRef(chunk.file, chunk.nbytes, chunk.sha256) for chunk in chunks]
            graphs = (variant.graph, *(stage.graph for stage in variant.stages))
            for ref in (*graphs, *refs, *(asset.ref for asset in entry.assets)):
                _require(seen.setdefault(ref.file, ref) == ref, ref.file, "the same file everywhere")


def _require(holds: bool, at: str, wanted: str) -> None:
    if not holds:
        raise _Invalid(at, wanted)


def _require_unique(names: list[str], at: str) -> None:
    _require(len(set(names)) == len(names), at, "free of equal names")


def _object(value: Any, at: str, needed: set[str]) -> dict[str, Any]:
    fields = _table(value, at)
    for key in sorted(needed - fields.keys()):
        raise _Invalid(f"{at}.{key}", "there")
    return fields


def _table(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Invalid(at, "an object")
    return value


def _field(fields: dict[str, Any], at: str, key: str, check: Check[T]) -> T:
    return check(fields[key], f"{at}.{key}")


def _text(pattern: re.Pattern[str]) -> Check[str]:
    def check(value: Any, at: str) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _Invalid(at, f"text like {pattern.pattern}")
        return value

    return check


def _integer(value: Any, at: str) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise _Invalid(at, f"an integer from 0 to {_MOST}")
    return value


def _number(value: Any, at: str) -> float:
    if type(value) not in (int, float) or not -1e308 <= value <= 1e308:
        raise _Invalid(at, "a finite number")
    return float(value)


def _one_of(options: tuple[Any, ...]) -> Check[Any]:
    def check(value: Any, at: str) -> Any:
        if not any(value is option or (isinstance(option, str) and value == option) for option in options):
            raise _Invalid(at, f"one of {', '.join(map(str, options))}")
        return value

    return check


def _list(item: Check[T]) -> Check[tuple[T, ...]]:
    def check(value: Any, at: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise _Invalid(at, "a list")
        return tuple(item(each, f"{at}[{index}]") for index, each in enumerate(value))

    return check


def _nullable(item: Check[T]) -> Check[T | None]:
    return lambda value, at: None if value is None else item(value, at)
