"""simplify: smaller graphs that agree, and nothing untied or unfolded on the way."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from fixtures import models

from .chains import SIMPLIFY, Bench, ops


def test_simplify_makes_the_graph_smaller_and_agrees(bench: Bench) -> None:
    record, model = bench.one(models.mlp(), SIMPLIFY)
    assert (record.status, record.step) == ("ok", "simplify")
    assert (record.nodes_before, record.nodes_after) == (7, 6)
    assert record.bytes_after == model.nbytes < record.bytes_before
    assert record.max_error is not None
    assert record.max_error < 1e-4
    assert record.cosine == 1
    assert record.seconds > 0


def test_nothing_to_simplify_is_unchanged_and_the_very_same_model(bench: Bench) -> None:
    source = bench.read(models.conv_net())
    result = bench.run_model(source, SIMPLIFY)
    assert result.records[0].status == "unchanged"
    assert result.model == source


def test_a_transformer_layer_is_not_blown_up_into_gemms(bench: Bench) -> None:
    """onnxsim would make Shape, Slice, Concat, Reshape, Gemm, Reshape of each MatMul and Add on three dimensions."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["a"]),
        helper.make_node("Identity", ["a"], ["y"]),
    ]
    weights = [models.tensor("w", models.noise(0, 32, 32)), models.tensor("b", models.noise(1, 32))]
    dims = ["batch", "length", 32]
    record, model = bench.one(models.make(nodes, [models.port("x", dims)], [models.port("y", dims)], weights), SIMPLIFY)
    assert record.status == "ok"
    assert ops(model) == {"Add": 1, "MatMul": 1}


def test_tied_weights_stay_tied(bench: Bench) -> None:
    record, model = bench.one(models.tied_model(words=2000, width=64), SIMPLIFY)
    assert record.status == "ok"
    assert len(model.weights) == 1
    assert ops(model) == {"Gather": 1, "com.microsoft::FusedMatMul": 1}
    assert record.max_error is not None
    assert record.max_error < 1e-5


def test_a_transposed_weight_that_nobody_else_uses_is_folded(bench: Bench) -> None:
    proto = models.tied_model(words=500, width=64)
    proto.graph.initializer.add().CopyFrom(proto.graph.initializer[0])
    proto.graph.initializer[1].name = "head"
    proto.graph.initializer[1].raw_data = (models.noise(9, 500, 64)).tobytes()
    proto.graph.node[1].input[0] = "head"
    _, model = bench.one(proto, SIMPLIFY)
    assert ops(model) == {"Gather": 1, "MatMul": 1}


def test_int8_weights_are_not_folded_back_to_floats(bench: Bench) -> None:
    weight = np.random.default_rng(0).integers(-127, 127, (256, 256)).astype(np.int8)
    nodes = [
        helper.make_node("Cast", ["q"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["c", "scale"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Identity", ["m"], ["y"]),
    ]
    tensors = [models.tensor("q", weight), models.tensor("scale", np.array(0.01, np.float32))]
    ports = [models.port("x", ["n", 256])], [models.port("y", ["n", 256])]
    record, model = bench.one(models.make(nodes, *ports, tensors), SIMPLIFY)
    assert record.bytes_after < 1.01 * record.bytes_before
    assert "unfolded" in record.note
    assert ops(model) == {"Cast": 1, "MatMul": 1, "Mul": 1}
