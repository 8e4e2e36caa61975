"""How many nodes compute in which type: counted for small models, and compared with what onnxruntime runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from bundler.config.schema import LoaderSpec
from bundler.graph.computing import count_dtypes
from bundler.graph.model import Model
from bundler.graph.session import optimize_to
from fixtures import models

from .chains import Bench, quantize

WEIGHTS = {"block_size": 32, "calibrate": False, "embeddings": True, "symmetric": True, "tensors": ()}
STATIC = {"activations": "uint8", "method": "minmax", "ops": (), "per_channel": True, "percentile": 99.9}


def step(name: str, **options: Any) -> LoaderSpec:
    return LoaderSpec(name, tuple(sorted(options.items())))


def data(model: Model) -> dict[str, int]:
    """Without what holds shapes, masks and sums."""
    counts = dict(model.dtypes)
    assert sum(counts.values()) == model.nodes
    return {name: count for name, count in counts.items() if name not in ("int32", "int64", "bool")}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("build", "counts"),
    [
        (models.mlp, {"float32": 7}),
        (models.decoder, {"float32": 18}),
        (models.if_model, {"float32": 6}),
        (models.loop_model, {"float32": 2}),
        (models.scan_model, {"float32": 4}),
        (models.function_model, {"unknown": 2, "float32": 2}),
        (models.tied_model, {"float32": 3}),
    ],
)
def test_every_node_counts_once_wherever_it_stands(
    bench: Bench, build: Callable[[], ModelProto], counts: dict[str, int]
) -> None:
    assert data(bench.read(build())) == counts


@pytest.mark.parametrize(
    ("loader", "counts"),
    [
        # DynamicQuantizeLinear gives uint8; its product has an int8 weight; the rest is float32
        (quantize(), {"float32": 11, "int8": 2, "uint8": 2}),
        (step("quantize_weights", bits=4, **WEIGHTS), {"float32": 7}),
        (step("float16", keep=()), {"float16": 8, "float32": 1}),
    ],
    ids=lambda value: value.name if isinstance(value, LoaderSpec) else "",
)
def test_a_steps_record_has_the_types_of_its_result(bench: Bench, loader: LoaderSpec, counts: dict[str, int]) -> None:
    record, model = bench.one(models.mlp(width=128), loader)
    assert record.status == "ok"
    assert data(model) == counts
    assert record.dtypes == dict(model.dtypes)


def test_a_group_of_quantized_nodes_counts_as_the_product_that_onnxruntime_makes_of_it(bench: Bench) -> None:
    images = models.rng(0).standard_normal((4, 3, 32, 32)).astype(np.float32)
    np.savez(bench.folder / "c.npz", image=images[:, None])
    source = models.conv_net(channels=64)
    _, model = bench.one(source, step("quantize_static", calibration=("c.npz",), samples=4, **STATIC))
    path = str(bench.folder / "run.onnx")
    optimize_to(model, path, level="extended")
    run = [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]
    products = sum(op in ("QLinearConv", "QLinearMatMul", "MatMulIntegerToFloat", "QGemm") for op in run)
    assert products > 0
    assert dict(model.dtypes)["int8"] == products


def test_weights_that_are_stored_as_integers_are_computed_with_as_floats(bench: Bench) -> None:
    """A Conv that reads its weight through DequantizeLinear, and nothing rounds its input: floats, whatever runs it."""
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["f"]),
        helper.make_node("Conv", ["x", "f"], ["y"]),
    ]
    weights = [
        models.tensor("w", np.ones((16, 16, 3, 3), np.int8)),
        models.tensor("s", np.array(0.5, np.float32)),
    ]
    proto = models.make(nodes, [models.port("x", [1, 16, 8, 8])], [models.port("y", [1, 16, 6, 6])], weights)
    assert dict(count_dtypes(proto, 17)) == {"float32": 2}


def test_what_no_schema_tells_is_unknown() -> None:
    nodes = [
        helper.make_node("Own", ["x"], ["a"], domain="app"),
        helper.make_node("SequenceConstruct", ["n", "n"], ["s"]),
    ]
    proto = models.make(nodes, [models.port("n", [1], TensorProto.INT64)], [models.port("a", [1])], [])
    proto.graph.ClearField("output")
    assert dict(count_dtypes(proto, 17)) == {"unknown": 2}
