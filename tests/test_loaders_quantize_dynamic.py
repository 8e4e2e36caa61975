"""quantize_dynamic in a chain: a quarter of the bytes where it can, a reason where it cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from onnx import ModelProto, helper

from fixtures import models

from .chains import Bench, ops, quantize


def test_quantize_makes_a_quarter_of_it(bench: Bench) -> None:
    record, model = bench.one(models.mlp(width=128), quantize())
    assert record.status == "ok"
    assert record.bytes_after < 0.3 * record.bytes_before
    assert record.cosine is not None
    assert record.cosine > 0.99
    assert {weight.dtype for weight in model.weights} == {"int8"}


def test_quantize_takes_uint8_where_there_are_convolutions(bench: Bench) -> None:
    record, model = bench.one(models.conv_net(), quantize())
    assert record.status == "ok"
    assert "ConvInteger" in ops(model)
    assert {weight.dtype for weight in model.weights} <= {"uint8", "float32"}


def test_quantize_does_what_its_options_say(bench: Bench) -> None:
    _, unsigned = bench.one(models.mlp(width=128), quantize(weight_type="uint8"))
    assert {weight.dtype for weight in unsigned.weights} == {"uint8"}
    _, rows = bench.one(models.mlp(width=128), quantize(per_channel=True))
    _, whole = bench.one(models.mlp(width=128), quantize())
    assert rows.nbytes > whole.nbytes
    _, some = bench.one(models.conv_net(), quantize(ops=("MatMul", "Gemm")))
    assert "Conv" in ops(some)


@pytest.mark.parametrize("opset", [9, 10, 11, 13])
def test_old_opsets_are_quantized_too(bench: Bench, opset: int) -> None:
    record, _ = bench.one(models.mlp(width=128, opset=opset, ir=4), quantize(per_channel=True))
    assert record.status == "ok"


@pytest.mark.parametrize("build", [models.constant_weights, models.if_model, models.loop_model, models.scan_model])
def test_weights_in_constants_and_branches_are_quantized(bench: Bench, build: Callable[[], ModelProto]) -> None:
    record, model = bench.one(build(), quantize())
    assert record.status == "ok"
    assert "MatMulInteger" in ops(model)
    assert record.bytes_after < record.bytes_before


def test_a_quantized_model_is_skipped_with_the_reason(bench: Bench) -> None:
    result = bench.run(models.mlp(width=128), quantize(), quantize())
    assert [record.status for record in result.records] == ["ok", "skipped"]
    assert "quantized already" in result.records[1].note


def test_a_model_without_weights_to_quantize_is_skipped(bench: Bench) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    record, _ = bench.one(models.make(nodes, [models.port("x", [4])], [models.port("y", [4])]), quantize())
    assert (record.status, record.note) == (
        "skipped",
        "it has none of Conv, MatMul, FusedMatMul, Gemm, Gather, LSTM, Attention",
    )
