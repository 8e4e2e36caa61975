"""Shared by the tests of `bundler.graph`: reading with a scratch folder, and comparing what models compute."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from bundler.graph import gates
from bundler.graph.model import Model
from bundler.graph.read import ReadPolicy, ReadResult, read_model
from bundler.graph.splice import copy_region
from bundler.graph.write import graph_file

Feeds = dict[str, Any]


def read(path: str, root: str = "", **policy: Any) -> ReadResult:
    return read_model(path, ReadPolicy(root or str(Path(path).parent), tempfile.mkdtemp(), **policy))


def run_file(path: str, feeds: Feeds) -> list[Any]:
    """Outputs of the file at `path`, opened by its own name, as onnxruntime optimises it by default."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return list(ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, feeds))


def written(model: Model, folder: str) -> str:
    """The model as a graph file and one file of weights, each at a multiple of 64: what a build emits."""
    places: list[tuple[str, int] | None] = []
    with open(Path(folder) / "weights-0", "wb") as file:
        for weight in model.weights:
            file.write(bytes(-file.tell() % 64))
            file.flush()
            places.append(("weights-0", file.tell()))
            copy_region(weight.region, file)
            file.seek(0, 2)
    (Path(folder) / "graph.onnx").write_bytes(graph_file(model, places))
    return str(Path(folder) / "graph.onnx")


def agree(path: str, model: Model, feeds: Feeds) -> None:
    """The model passes the gates, and its emitted form computes bit for bit what the file at `path` does."""
    gates.check(model)
    with tempfile.TemporaryDirectory() as folder:
        found = run_file(written(model, folder), feeds)
    expected = run_file(path, feeds)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
