"""The same variants once more, in the layout that `@huggingface/transformers` loads:

    transformers-<hash>/config.json, tokenizer.json, …, onnx/model.onnx, onnx/model_q4.onnx, onnx/model_q4.onnx_data

Its data files are our logical weight files as they are. The folder's name holds the hash of what is in it: that library
caches by URL and for good, so that a stable name would give visitors the old model after a deploy. The pointer
`transformers/<entry>.js` says which folder it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..catalogue import problem
from ..chunks import names
from ..chunks.placement import DataFile, Placement
from ..errors import InputError, Problem
from ..graph.model import Model
from ..graph.write import graph_file
from .fill import fill
from .loader import stem
from .templates import folder as templates
from .transaction import Transaction

FOLDER = "transformers"
SUFFIXES = {
    "fp32": "",
    "fp16": "_fp16",
    "int8": "_int8",
    "uint8": "_uint8",
    "q8": "_quantized",
    "q4": "_q4",
    "q4f16": "_q4f16",
    "bnb4": "_bnb4",
}
"""What it calls the precision of a model -> what stands in the file's name."""
_BY_WEIGHTS = {"float32": "fp32", "float16": "fp16", "uint8": "q8", "int8": "q8", "uint4": "q4", "int4": "q4"}
_BLOCK = 1 << 20


class Recipes(Protocol):
    """The part of `cache.memo.Memo` that is about files made of others."""

    def chunk(self, recipe: Sequence[str]) -> tuple[str, int] | None: ...
    def learn_chunk(self, recipe: Sequence[str], digest: str, size: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Part:
    """A variant to be laid out."""

    name: str
    model: Model
    placement: Placement


def put(
    output: Transaction,
    entry: str,
    parts: Sequence[Part],
    assets: Sequence[str],
    recipes: Recipes,
    base: str,
    warn: Callable[[Problem], None],
) -> dict[str, bytes]:
    """Stages the folder of an entry; returns its pointers. What the layout has no place for is told and left out."""
    config = next((path for path in assets if os.path.basename(path) == "config.json"), "")
    if not config:
        warn(problem("MB416", f"{entry} ships no config.json.", entry=entry, severity="warning"))
        return {}
    found = {part.name: (dtype, part) for dtype, part in _chosen(entry, parts, warn)}
    chosen = dict(found[part.name] for part in parts if part.name in found)
    graphs: dict[str, bytes] = {}
    data: dict[str, DataFile] = {}
    for dtype, part in chosen.items():
        file = f"onnx/model{SUFFIXES[dtype]}.onnx"
        data |= {_data_name(file, index): one for index, one in enumerate(part.placement.data)}
        graphs[file] = graph_file(part.model, _renamed(part.placement, file))
    small = {os.path.basename(path): _read(path) for path in assets} | graphs
    small["config.json"] = _config(small["config.json"], config, {file: _count(file, data) for file in graphs})
    target = f"{FOLDER}-{_digest(small, data)}"
    for name, content in small.items():
        output.put(f"{target}/{name}", content)
    for name, one in data.items():
        _put_data(output, f"{target}/{name}", one, recipes)
    values = {"MODEL": target, "DTYPES": list(chosen), "BASE": None if base == "./" else base}
    kinds = ("js", "d.ts")
    return {
        f"{FOLDER}/{stem(entry)}.{kind}": fill(_template(f"transformers.{kind}"), values, {}).encode() for kind in kinds
    }


def _chosen(entry: str, parts: Sequence[Part], warn: Callable[[Problem], None]) -> Iterator[tuple[str, Part]]:
    """Each precision once. A variant's name says it, or else its weights."""
    taken: set[str] = set()
    for part in sorted(parts, key=lambda part: part.name not in SUFFIXES):
        dtype = part.name if part.name in SUFFIXES else _by_weights(part.model)
        if dtype in taken or not dtype:
            why = f"there is a {dtype} model already" if dtype else "nothing there is called like its weights"
            warn(problem("MB417", f"{entry}/{part.name} is left out: {why}.", entry=entry, severity="warning"))
        else:
            taken.add(dtype)
            yield dtype, part


def _by_weights(model: Model) -> str:
    sizes: dict[str, int] = {}
    for weight in model.weights:
        sizes[weight.dtype] = sizes.get(weight.dtype, 0) + weight.region.length
    return _BY_WEIGHTS.get(max(sizes, key=lambda dtype: sizes[dtype]), "") if sizes else "fp32"


def _data_name(file: str, index: int) -> str:
    return f"{file}_data" + (f"_{index}" if index else "")


def _count(file: str, data: Mapping[str, DataFile]) -> int:
    """How many data files belong to a graph file."""
    return sum(name.rpartition("_data")[0] == file for name in data)


def _renamed(placement: Placement, file: str) -> list[tuple[str, int] | None]:
    """Places in the data files as they are called here, seen from the graph file."""
    beside = os.path.basename(file)
    new = {one.path: _data_name(beside, index) for index, one in enumerate(placement.data)}
    return [place and (new[place[0]], place[1]) for place in placement.places]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(problem("MB412", f"Reading it failed: {error.strerror}.", file=path)) from error


def _config(content: bytes, path: str, counts: Mapping[str, int]) -> bytes:
    """With what that library must know beforehand: how many data files there are, and which precision to take."""
    try:
        config: Any = json.loads(content)
        own = dict(config.get("transformers.js_config") or {})
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(problem("MB412", f"It is no JSON object: {error}.", file=path)) from error
    external = {os.path.basename(file): count for file, count in counts.items() if count}
    if external:
        own["use_external_data_format"] = external
    first = next(iter(counts), "")
    own.setdefault("dtype", next(dtype for dtype, suffix in SUFFIXES.items() if first == f"onnx/model{suffix}.onnx"))
    return json.dumps(config | {"transformers.js_config": own}, indent=2).encode() + b"\n"


def _digest(small: Mapping[str, bytes], data: Mapping[str, DataFile]) -> str:
    """Of all names and contents; what a data file holds follows from its chunks."""
    rows = {name: hashlib.sha256(content).hexdigest() for name, content in small.items()}
    rows |= {name: ",".join(chunk.sha256 for chunk in file.chunks) for name, file in data.items()}
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]


def _put_data(output: Transaction, name: str, file: DataFile, recipes: Recipes) -> None:
    recipe = [chunk.sha256 for chunk in file.chunks]
    known = recipes.chunk(recipe)
    if known is not None and output.have(name, known[0], file.nbytes):
        return
    sha, staged = hashlib.sha256(), output.stage()
    try:
        for chunk in file.chunks:
            with output.open(f"{names.ASSETS}/{chunk.file}") as source:
                while block := source.read(_BLOCK):
                    sha.update(block)
                    staged.write(block)
        staged.finish(name, sha.hexdigest())
    except BaseException:
        staged.discard()
        raise
    recipes.learn_chunk(recipe, sha.hexdigest(), file.nbytes)


def _template(name: str) -> str:
    return (templates() / "loader" / name).read_text(encoding="utf-8")
