"""quantize_dynamic, quantize_weights and float16 on small models: what stock tools make, what they skip, traps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from bundler.graph.gates import check
from bundler.graph.model import Model
from bundler.graph.session import open_session
from bundler.graph.splice import read_region
from bundler.loaders.base import Context, Skip
from bundler.loaders.float16 import Float16
from bundler.loaders.quantize_dynamic import QuantizeDynamic
from bundler.loaders.quantize_weights import QuantizeWeights
from fixtures import models
from fixtures.models import make, noise, port, tensor

from .graph_helpers import read
from .processor import saturates

Array = np.ndarray[Any, Any]
INT64 = TensorProto.INT64


@dataclass
class Bench:
    folder: Path
    told: list[str]

    def read(self, proto: ModelProto) -> Model:
        path = self.folder / "source.onnx"
        onnx.save(proto, path)
        return read(str(path)).model

    def apply(self, loader: Any, proto: ModelProto) -> tuple[Model, Model]:
        """(source, result); the result passes the gates, is smaller and has the same ports."""
        scratch = self.folder / f"scratch-{len(list(self.folder.iterdir()))}"
        scratch.mkdir()
        source = self.read(proto)
        context = Context(str(scratch), "production", str(self.folder), "it", log=self.told.append)
        result = loader.apply(source, context)
        check(result)
        assert result.nbytes < source.nbytes
        assert result.signature == source.signature
        return source, result


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, [])


def run(model: Model, **feeds: Array) -> list[Array]:
    return list(open_session(model, level="basic").run(None, feeds))


def cosine(one: Array, other: Array) -> float:
    a, b = one.ravel().astype(np.float64), other.ravel().astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def agree(source: Model, result: Model, at_least: float, **feeds: Array) -> None:
    for one, other in zip(run(source, **feeds), run(result, **feeds), strict=True):
        assert one.dtype == other.dtype
        assert cosine(one, other) > at_least


def ops(model: Model) -> dict[str, int]:
    return dict(model.ops)


def one_node(node: NodeProto, shape: list[Any], out: list[Any], **weights: Array) -> ModelProto:
    initializers = [tensor(name, array) for name, array in weights.items()]
    return make([node], [port("x", shape)], [port("y", out)], initializers, domains=[("com.microsoft", 1)])


def gemm(**attributes: Any) -> ModelProto:
    shape = (48, 64) if attributes.get("transB") else (64, 48)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], **attributes)
    return one_node(node, ["n", 64], ["n", 48], w=noise(0, *shape), b=noise(1, 48))


def conv(bias: bool = True) -> ModelProto:
    node = helper.make_node("Conv", ["x", "w", "b"] if bias else ["x", "w"], ["y"], strides=[2, 2])
    return one_node(node, [1, 16, 9, 9], [1, 24, 4, 4], w=noise(0, 24, 16, 3, 3), b=noise(1, 24))


def lstm(directions: int = 2) -> ModelProto:
    names = ["x", "w", "r", "b"]
    direction = "bidirectional" if directions == 2 else "forward"
    node = helper.make_node("LSTM", names, ["y"], hidden_size=32, direction=direction)
    weights = {"w": noise(0, directions, 128, 24), "r": noise(1, directions, 128, 32), "b": noise(2, directions, 256)}
    return one_node(node, [5, 1, 24], [5, directions, 1, 32], **weights)


def embedding(width: int = 64) -> ModelProto:
    nodes = [helper.make_node("Gather", ["table", "ids"], ["y"])]
    return make(nodes, [port("ids", ["n"], INT64)], [port("y", ["n", width])], [tensor("table", noise(0, 200, width))])


SAMPLES: dict[str, tuple[Callable[[], ModelProto], dict[str, Array]]] = {
    "mlp": (models.mlp, {"x": noise(9, 4, 64)}),
    "gemm": (gemm, {"x": noise(9, 4, 64)}),
    "gemm transposed": (lambda: gemm(transB=1), {"x": noise(9, 4, 64)}),
    "conv": (conv, {"x": noise(9, 1, 16, 9, 9)}),
    "conv without bias": (lambda: conv(bias=False), {"x": noise(9, 1, 16, 9, 9)}),
    "conv net": (models.conv_net, {"image": noise(9, 2, 3, 32, 32)}),
    "lstm": (lstm, {"x": noise(9, 5, 1, 24)}),
    "one-way lstm": (lambda: lstm(1), {"x": noise(9, 5, 1, 24)}),
    "embedding": (embedding, {"ids": np.array([3, 1, 199])}),
    "if": (lambda: models.if_model(width=64), {"flag": np.array(True), "x": noise(9, 64, 64)}),
    "loop": (lambda: models.loop_model(width=64), {"steps": np.array(2), "x": noise(9, 2, 64)}),
    "scan": (lambda: models.scan_model(width=64), {"x": noise(9, 3, 64)}),
    "constants": (lambda: models.constant_weights(width=64), {"x": noise(9, 16, 64)}),
    "tied": (lambda: models.tied_model(words=300, width=64), {"ids": np.array([5, 7, 11])}),
}
STOCK = ("mlp", "gemm", "gemm transposed", "conv", "conv without bias", "lstm", "one-way lstm", "embedding")
"""What onnxruntime's quantizer can do as it is."""
SEVEN_BITS = saturates()
"""What docs/loaders.md says to use where they do."""
LOADERS = {
    "dynamic": (QuantizeDynamic(reduce_range=SEVEN_BITS), 0.99),
    "dynamic per channel": (QuantizeDynamic(per_channel=True, reduce_range=SEVEN_BITS), 0.99),
    "8 bits": (QuantizeWeights(), 0.999),
    "8 bits asymmetric": (QuantizeWeights(symmetric=False, block_size=64), 0.999),
    "4 bits": (QuantizeWeights(bits=4), 0.97),
    "4 bits asymmetric": (QuantizeWeights(bits=4, symmetric=False, block_size=16), 0.97),
    "float16": (Float16(), 0.99999),
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_results_are_smaller_valid_and_agree(bench: Bench, sample: str, loader: str) -> None:
    build, feeds = SAMPLES[sample]
    source, result = bench.apply(LOADERS[loader][0], build())
    agree(source, result, LOADERS[loader][1], **feeds)
    assert bench.told == []


@pytest.mark.parametrize("options", [{}, {"per_channel": True}, {"reduce_range": True}], ids=str)
@pytest.mark.parametrize("sample", STOCK)
def test_dynamic_integers_and_scales_are_those_of_the_stock_tool(
    bench: Bench, sample: str, options: dict[str, bool]
) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    proto = SAMPLES[sample][0]()
    unsigned = any(node.op_type == "Conv" for node in proto.graph.node)
    _, result = bench.apply(QuantizeDynamic(**options), proto)
    stock = bench.folder / "stock.onnx"
    weight_type = QuantType.QUInt8 if unsigned else QuantType.QInt8
    quantize_dynamic(str(bench.folder / "source.onnx"), str(stock), weight_type=weight_type, **options)
    assert parameters(initializers(result)) == parameters(
        {one.name: numpy_helper.to_array(one) for one in onnx.load(stock).graph.initializer}
    )


def initializers(model: Model) -> dict[str, Array]:
    found = {}
    for one in onnx.load_model_from_string(model.skeleton).graph.initializer:
        if one.external_data:
            one.raw_data = read_region(model.weights[int(one.external_data[0].value[1:])].region)
            one.data_location = TensorProto.DEFAULT
            one.ClearField("external_data")
        found[one.name] = numpy_helper.to_array(one)
    return found


def parameters(arrays: dict[str, Array]) -> set[tuple[str, tuple[int, ...], bytes]]:
    """Integers, scales and zero points by their values."""
    kinds = ("_quantized", "_scale", "_zero_point")
    return {(a.dtype.name, a.shape, a.tobytes()) for name, a in arrays.items() if name.endswith(kinds)}


def test_weights_become_the_operators_that_browsers_have(bench: Bench) -> None:
    _, result = bench.apply(QuantizeWeights(bits=4), models.decoder(words=500))
    assert ops(result)["com.microsoft::GatherBlockQuantized"] == 1
    assert ops(result)["com.microsoft::MatMulNBits"] == 9
    assert "MatMul" not in ops(result)


def test_a_tied_table_is_one_range_of_bytes(bench: Bench) -> None:
    source, result = bench.apply(QuantizeWeights(), models.tied_model(words=300, width=64))
    large = [weight for weight in result.weights if weight.dtype == "uint8"]
    assert len(large) == 2
    assert len({weight.region for weight in large}) == 1
    assert "Transpose" not in ops(result)
    assert len({weight.region for weight in result.weights}) == 2
    _, dynamic = bench.apply(QuantizeDynamic(), models.tied_model(words=300, width=64))
    assert sum(weight.region.length for weight in dynamic.weights) * 4 == source.weights[0].region.length


def test_embeddings_can_stay(bench: Bench) -> None:
    _, result = bench.apply(QuantizeWeights(embeddings=False), models.decoder(words=500))
    assert "Gather" in ops(result)
    assert [weight.shape for weight in result.weights if weight.name == "embed"] == [(500, 64)]


def test_a_weight_that_somebody_needs_as_it_is_is_not_stored_twice(bench: Bench) -> None:
    """The table stays float because of `embeddings`, so the head that is tied to it does, too."""
    with pytest.raises(Skip, match="none of its weights gets smaller"):
        bench.apply(QuantizeWeights(embeddings=False), models.tied_model(words=300, width=64))


@pytest.mark.parametrize("width", [48, 40, 33])
def test_tables_that_blocks_do_not_fit_into(bench: Bench, width: int) -> None:
    """48: blocks of 16; 40 and 33: a scale a row."""
    source, result = bench.apply(QuantizeWeights(), embedding(width))
    agree(source, result, 0.999, ids=np.array([0, 5]))
    assert ("com.microsoft::GatherBlockQuantized" in ops(result)) == (width == 48)


@pytest.mark.parametrize("k", [100, 97])
def test_products_that_blocks_do_not_fill(bench: Bench, k: int) -> None:
    proto = one_node(helper.make_node("MatMul", ["x", "w"], ["y"]), ["n", k], ["n", 64], w=noise(0, k, 64))
    for bits in (4, 8):
        source, result = bench.apply(QuantizeWeights(bits=bits), proto)  # type: ignore[arg-type]
        agree(source, result, 0.98, x=noise(9, 3, k))


def test_fused_products(bench: Bench) -> None:
    node = helper.make_node("FusedMatMul", ["x", "w"], ["y"], domain="com.microsoft", transB=1)
    proto = one_node(node, ["n", 64], ["n", 80], w=noise(0, 80, 64))
    for loader in (QuantizeWeights(), QuantizeDynamic()):
        source, result = bench.apply(loader, proto)
        agree(source, result, 0.99, x=noise(9, 3, 64))
        assert "com.microsoft::FusedMatMul" not in ops(result)


def test_scaled_gemms_stay_but_for_their_weights(bench: Bench) -> None:
    source, result = bench.apply(QuantizeWeights(), gemm(alpha=0.5, beta=2.0))
    agree(source, result, 0.9999, x=noise(9, 4, 64))
    assert ops(result)["Gemm"] == 1


@pytest.mark.parametrize("dtype", [TensorProto.BFLOAT16, TensorProto.FLOAT16])
def test_short_sources_behind_a_cast(bench: Bench, dtype: int) -> None:
    weight = noise(0, 64, 64)
    if dtype == TensorProto.BFLOAT16:
        raw = (weight.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    else:
        raw = weight.astype(np.float16).tobytes()
    short = TensorProto(name="w", data_type=dtype, dims=[64, 64], raw_data=raw)
    nodes = [helper.make_node("Cast", ["w"], ["f"], to=1), helper.make_node("MatMul", ["x", "f"], ["y"])]
    proto = make(nodes, [port("x", ["n", 64])], [port("y", ["n", 64])], [short])
    for loader in (QuantizeWeights(), QuantizeDynamic()):
        source, result = bench.apply(loader, proto)
        agree(source, result, 0.99, x=noise(9, 4, 64))
        assert {weight.dtype for weight in result.weights} <= {"uint8", "int8", "float32"}


def test_infinity_stays_and_is_told(bench: Bench) -> None:
    proto = models.mlp(width=64)
    weight = noise(0, 64, 64)
    weight[3, 3] = np.inf
    proto.graph.initializer[0].raw_data = weight.tobytes()
    for loader in (QuantizeWeights(), QuantizeDynamic()):
        _, result = bench.apply(loader, proto)
        assert bench.told.pop() == 'weight "w0" holds infinity or NaN: it stays'
        assert ops(result)["MatMul"] == 1


def test_results_do_not_depend_on_threads_or_folders(bench: Bench) -> None:
    first, second = (bench.apply(QuantizeWeights(), models.decoder())[1] for _ in range(2))
    assert first.skeleton == second.skeleton
    assert [read_region(w.region) for w in first.weights] == [read_region(w.region) for w in second.weights]


def test_half_keeps_what_must_stay(bench: Bench) -> None:
    """Resize has no float16 kernel everywhere, and its scales are float32 by definition."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["c", "", "scales"], ["r"], mode="nearest"),
        helper.make_node("Clip", ["r", "low", "high"], ["y"]),
    ]
    weights = {
        "w": noise(0, 16, 16, 3, 3),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "low": np.array(-1, np.float32),
        "high": np.array(1, np.float32),
    }
    tensors = [tensor(name, array) for name, array in weights.items()]
    ports = [port("x", [1, 16, 8, 8])], [port("y", [1, 16, 16, 16])]
    source, result = bench.apply(Float16(), make(nodes, *ports, tensors))
    agree(source, result, 0.99999, x=noise(9, 1, 16, 8, 8))
    graph = onnx.load_model_from_string(result.skeleton).graph
    kinds = {one.name: one.data_type for one in graph.initializer}
    assert kinds == {"w": 10, "scales": 1, "low": 10, "high": 10}


def test_half_leaves_norms_with_huge_variances(bench: Bench) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["y"]),
    ]
    vectors = {"s": noise(1, 16), "b": noise(2, 16), "m": noise(3, 16), "v": np.full(16, 9e7, np.float32)}
    tensors = [tensor("w", noise(0, 16, 16, 3, 3)), *(tensor(name, array) for name, array in vectors.items())]
    ports = [port("x", [1, 16, 8, 8])], [port("y", [1, 16, 6, 6])]
    source, result = bench.apply(Float16(), make(nodes, *ports, tensors, opset=14))
    agree(source, result, 0.9999, x=noise(9, 1, 16, 8, 8))
    assert bench.told == ['weight "v" stays float32: it holds values beyond 65504']


def test_half_does_what_keep_says(bench: Bench) -> None:
    source, result = bench.apply(Float16(keep=("Relu", "matmul0")), models.mlp())
    agree(source, result, 0.9999, x=noise(9, 4, 64))
    assert [weight.dtype for weight in result.weights] == ["float32", "float16"]
    assert ops(result)["Cast"] == 8


def test_half_of_a_masked_model_stays_finite(bench: Bench) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Where", ["c", "m", "low"], ["p"]),
        helper.make_node("Softmax", ["p"], ["y"]),
    ]
    tensors = [tensor("w", noise(0, 64, 64)), tensor("low", np.array(-3.4e38, np.float32))]
    tensors.append(tensor("c", np.arange(64) % 2 == 0))
    source, result = bench.apply(Float16(), make(nodes, [port("x", ["n", 64])], [port("y", ["n", 64])], tensors))
    agree(source, result, 0.9999, x=noise(9, 2, 64))


def test_nothing_to_do_is_a_reason(bench: Bench) -> None:
    proto = make([helper.make_node("Relu", ["x"], ["y"])], [port("x", [4])], [port("y", [4])])
    for loader in (QuantizeWeights(), Float16(), QuantizeDynamic()):
        with pytest.raises(Skip):
            bench.apply(loader, proto)


CONFIG = """
from bundler import Entry, Output, define_config
from bundler.loaders import float16, quantize_dynamic, quantize_weights

config = define_config(entries={"it": Entry(source="model.onnx", variants={
    "q4": [quantize_weights(bits=4, block_size=16)],
    "q8": [quantize_weights()],
    "dynamic": [quantize_dynamic(per_channel=True)],
    "fp16": [float16(keep=["Softmax"])],
})}, output=Output(dir="dist"))
"""


def test_a_build_with_each(tmp_path: Path) -> None:
    onnx.save(models.decoder(words=2000), tmp_path / "model.onnx")
    (tmp_path / "model.config.py").write_text(CONFIG)
    command = [sys.executable, "-m", "bundler", "build"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=_environ())
    assert done.returncode == 0, done.stderr
    variants = json.loads((tmp_path / "dist/model-manifest.json").read_bytes())["entries"]["it"]["variants"]
    sizes = {one["name"]: one["measured"]["bytes"] for one in variants}
    whole = (tmp_path / "model.onnx").stat().st_size
    assert {name: round(size / whole, 1) for name, size in sizes.items()} == {
        "q4": 0.2,
        "q8": 0.3,
        "dynamic": 0.3,
        "fp16": 0.5,
    }
    assert all(one["measured"]["cosine"] > 0.97 for one in variants)
    assert len(re.findall(r" cosine (?:0\.9|1\b)", done.stderr)) == len(variants)
    assert "18 → 55 nodes, ops 36 float32 + 10 uint8 + 9 int8, cosine" in done.stderr


def _environ() -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
