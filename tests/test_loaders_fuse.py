"""fuse: fewer nodes, the same numbers, nothing that a browser lacks; and the table of what a browser has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from bundler.config.schema import LoaderSpec
from bundler.graph.model import Model
from bundler.loaders.web import lacking
from fixtures import models
from fixtures.bert import bert

from .chains import Bench, ops

FUSE = LoaderSpec("fuse", (("attention", True),))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_attention_norms_and_gelus_of_a_transformer_become_one_node_each(bench: Bench) -> None:
    record, model = bench.one(bert(layers=2), FUSE)
    assert record.status == "ok"
    assert record.max_error is not None
    assert record.max_error < 1e-5
    found = ops(model)
    assert found["com.microsoft::MultiHeadAttention"] == 2
    assert found["com.microsoft::SkipLayerNormalization"] == 4
    assert found["com.microsoft::BiasGelu"] == 2
    assert found["Gather"] == 1  # the embedding stays where a quantizer finds it
    assert record.nodes_after < 30 < 140 < record.nodes_before
    assert record.bytes_after <= record.bytes_before


def test_attention_can_be_left_alone(bench: Bench) -> None:
    record, model = bench.one(bert(layers=1), LoaderSpec("fuse", (("attention", False),)))
    assert record.status == "ok"
    assert "Softmax" in ops(model)
    assert not {op for op in ops(model) if op.endswith("Attention")}


def test_convolutions_take_their_activation_in(bench: Bench) -> None:
    record, model = bench.one(models.conv_net(), FUSE)
    assert record.status == "ok"
    assert ops(model)["com.microsoft::FusedConv"] == 2
    assert "Relu" not in ops(model)
    assert not [op for op in ops(model) if "nchwc" in op]


def test_tied_weights_stay_tied(bench: Bench) -> None:
    record, model = bench.one(models.tied_model(words=2000, width=64), FUSE)
    assert record.status == "ok"
    assert len(model.weights) == 1


def test_the_same_bytes_twice(bench: Bench) -> None:
    source = bench.read(bert(layers=1))
    first, second = (bench.run_model(source, FUSE).model for _ in range(2))
    assert first.skeleton == second.skeleton
    assert [read(weight) for weight in first.weights] == [read(weight) for weight in second.weights]


def read(weight: Any) -> bytes:
    with open(weight.region.path, "rb") as file:
        file.seek(weight.region.offset)
        return file.read(weight.region.length)


def test_float16_weights_are_a_reason(bench: Bench) -> None:
    half = models.tensor("w", models.noise(0, 64, 64).astype(np.float16))
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ports = [models.port(name, ["n", 64], onnx.TensorProto.FLOAT16) for name in "xy"]
    record, _ = bench.one(models.make(nodes, ports[:1], ports[1:], [half]), FUSE)
    assert record.status == "skipped"
    assert "put fuse() before float16()" in record.note


def one_node(bench: Bench, op: str, dtype: int, opset: int, domain: str = "", **attributes: Any) -> Model:
    nodes = [helper.make_node(op, ["x"], ["y"], domain=domain, **attributes)]
    ports = [models.port(name, ["n", 3, 8, 8], dtype) for name in "xy"]
    domains = [(domain, 1)] if domain else []
    return bench.read(models.make(nodes, ports[:1], ports[1:], opset=opset, ir=10, domains=domains))


def test_what_a_browser_lacks_is_known_by_operator_version_and_type(bench: Bench) -> None:
    double, single, half = onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    pool = {"kernel_shape": [2, 2], "pads": [1, 0, 0, 0]}
    assert lacking(one_node(bench, "Relu", single, 17)) == ()
    assert lacking(one_node(bench, "Relu", half, 17)) == ()  # the runtime casts
    assert lacking(one_node(bench, "AveragePool", single, 17, **pool)) == ()
    assert lacking(one_node(bench, "GlobalLpPool", single, 17)) == ()
    assert lacking(one_node(bench, "GlobalLpPool", single, 22)) == ("GlobalLpPool",)
    assert lacking(one_node(bench, "HardSigmoid", double, 17)) == ("HardSigmoid (float64)",)
    assert lacking(one_node(bench, "HardSwish", single, 17)) == ()  # a function of other operators
