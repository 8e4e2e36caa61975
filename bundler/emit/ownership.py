"""The record of our files: what each kept build put into the output folder. Nothing else is ever deleted.

`.mbundle.json` lists the generations, newest first. While a commit is under way, a file of the same kind in its
temporary folder lists what it is about to add; it outlives a killed build and makes those files ours. Both are read
back as untrusted: a name that has not the shape of an emitted file is as good as absent, so that a forged record
cannot delete anything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

RECORD = ".mbundle.json"
MANIFEST = "model-manifest.json"

_SIZE_LIMIT = 64 << 20
_SHAPE = re.compile(
    r"model-manifest\.json|models\.(?:js|d\.ts)|entries/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.(?:js|d\.ts)"
    r"|assets/(?:[a-z0-9-]{1,48}(?:\.[a-z0-9-]{1,48})?-)?[0-9a-f]{16}(?:\.[a-z0-9]{1,16})?(?:\.(?:br|zst))?"
    r"|runtime-[0-9a-f]{8,64}/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.(?:js|ts|json)"
    r"|transformers/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.(?:js|d\.ts)"
    r"|transformers-[0-9a-f]{16}/(?:onnx/)?[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileMark(NamedTuple):
    nbytes: int
    sha256: str


Generation = Mapping[str, FileMark]
"""Path below the output folder, with forward slashes -> what it held."""


class Damaged(Exception):
    """The record exists and cannot be believed; the argument says why."""


def is_ours(name: str) -> bool:
    """Whether a path has the shape of a file that a build emits."""
    return _SHAPE.fullmatch(name) is not None


def is_pointer(name: str) -> bool:
    """Whether the file has a stable name, and so is replaced by later builds; all others are immutable."""
    return not name.startswith(("assets/", "runtime-", "transformers-"))


def load(path: str) -> list[Generation]:
    """The generations of the record at `path`, newest first; [] where there is none. Raises Damaged."""
    value = _read(path)
    if value is None:
        return []
    if not isinstance(value, dict) or value.get("version") != 1 or not isinstance(value.get("generations"), list):
        raise Damaged("another version of mbundle wrote it")
    return [_generation(item) for item in value["generations"]]


def dump(generations: Iterable[Generation]) -> bytes:
    """The bytes of a record: one file a line, so that a diff of a committed folder can be read."""
    value = {"version": 1, "generations": [dict(generation) for generation in generations]}
    return json.dumps(value, sort_keys=True, indent=1).encode() + b"\n"


def newest(new: Generation, old: Iterable[Generation], keep: int) -> list[Generation]:
    """At most `keep` generations (1 or more), `new` first, none twice."""
    kept = [new]
    for generation in old:
        if generation not in kept:
            kept.append(generation)
    return kept[: max(1, keep)]


def names(generations: Iterable[Generation]) -> set[str]:
    return {name for generation in generations for name in generation}


def _read(path: str) -> Any:
    try:
        with open(path, "rb") as file:
            data = file.read(_SIZE_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Damaged(error.strerror or "it cannot be read") from error
    if len(data) > _SIZE_LIMIT:
        raise Damaged("it is too large")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Damaged("it is not JSON") from error


def _generation(value: Any) -> Generation:
    if not isinstance(value, dict):
        raise Damaged("a generation is not a table of files")
    return {name: _mark(mark) for name, mark in value.items() if is_ours(name)}


def _mark(value: Any) -> FileMark:
    match value:
        case [int(nbytes), str(sha256)] if _SHA256.fullmatch(sha256):
            return FileMark(nbytes, sha256)
    raise Damaged("a file has no size and sha256")
