"""An emitted output folder, read only as a browser reads it: by its manifest.

`check` proves that the folder is whole; `assemble` puts one variant together again as an .onnx file with external data.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnxruntime as ort

Json = dict[str, Any]
SCHEMA = Path(__file__).resolve().parent.parent / "docs" / "manifest.schema.json"


@cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def manifest(dist: Path) -> Json:
    found: Json = json.loads((dist / "model-manifest.json").read_bytes())
    validator().validate(found)
    return found


def check(dist: Path) -> Json:
    """Every file that the manifest names has its size and digest; data files are tiled; pointers lead here."""
    found = manifest(dist)
    content = (dist / "model-manifest.json").read_bytes()
    pinned = f"manifest-{hashlib.sha256(content).hexdigest()[:16]}.json"
    assert (dist / "assets" / pinned).read_bytes() == content
    loaders = [dist / "models.js", *(dist / "entries" / f"{name}.js" for name in found["entries"])]
    for loader in loaders:
        text = loader.read_text()
        assert loader.parent == dist or pinned in text
        for target in re.findall(r"""from ["'](\.[^"']+)["']""", text):
            assert (loader.parent / target).is_file(), f"{loader}: {target}"
        assert loader.with_suffix(".d.ts").is_file()
    for file in files(found):
        read(dist, file)
    for variant in variants(found):
        for data in variant["data"]:
            tiled(data)
    return found


def variants(found: Json) -> Iterator[Json]:
    return (variant for entry in found["entries"].values() for variant in entry["variants"])


def files(found: Json) -> Iterator[Json]:
    for entry in found["entries"].values():
        yield from entry["assets"]
    for variant in variants(found):
        yield variant["graph"]
        yield from (stage["graph"] for stage in variant.get("stages", ()))
        for data in variant["data"]:
            yield from data["chunks"]


def read(dist: Path, file: Json) -> bytes:
    content = (dist / "assets" / file["file"]).read_bytes()
    assert len(content) == file["bytes"], file
    assert hashlib.sha256(content).hexdigest() == file["sha256"], file
    assert file["sha256"][:16] in file["file"]
    return content


def tiled(data: Json) -> None:
    """Chunks follow each other without a gap; tensors lie inside, aligned, ascending, not overlapping."""
    end = 0
    for chunk in data["chunks"]:
        assert chunk["offset"] == end
        end += chunk["bytes"]
    assert end == data["bytes"]
    last = 0
    for offset, length in zip(data["tensors"][::2], data["tensors"][1::2], strict=True):
        assert offset >= last
        assert offset % 64 == 0
        last = offset + length
    assert last <= end


def assemble(dist: Path, folder: Path, entry: str, variant: str | None = None) -> Path:
    """Writes the graph file and its logical data files into `folder`; the first variant unless one is named."""
    found = next(v for v in manifest(dist)["entries"][entry]["variants"] if variant in (None, v["name"]))
    folder.mkdir(parents=True, exist_ok=True)
    for data in found["data"]:
        (folder / data["path"]).write_bytes(b"".join(read(dist, chunk) for chunk in data["chunks"]))
    path = folder / "model.onnx"
    path.write_bytes(read(dist, found["graph"]))
    return path


def outputs(path: Path | str, feeds: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """What native onnxruntime computes, one thread, graph as it is."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def agree(source: Path | str, emitted: Path, feeds: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Bit for bit the same outputs."""
    before, after = outputs(source, feeds), outputs(emitted, feeds)
    assert before.keys() == after.keys()
    for name, value in before.items():
        other = after[name]
        assert (value.dtype, value.shape) == (other.dtype, other.shape)
        assert value.tobytes() == other.tobytes(), name
