"""prune(structured=...): what can be cut out of a graph, how it follows. Trained networks: tests/web/test_prune.py."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, helper, numpy_helper

from bundler.loaders.pruning.cut import cut
from bundler.loaders.pruning.families import families, gone, shapes_after
from bundler.loaders.pruning.flops import flops
from bundler.loaders.pruning.ladder import Reader, ladder, refitted
from bundler.loaders.pruning.rules import coupled
from bundler.loaders.pruning.survey import Survey, observed
from fixtures import models, real_models
from fixtures.bert import bert

from .chains import ops
from .cli import configure, run
from .dist import assemble
from .graph_helpers import read, written

Array = np.ndarray[Any, Any]
HEADER = "from bundler.loaders import fuse, prune, quantize_dynamic\n"


def project(folder: Path, entries: str) -> None:
    configure(folder, entries)
    config = folder / "model.config.py"
    config.write_text(HEADER + config.read_text())


def step(stats: Any, entry: str, variant: str) -> Any:
    found = next(one for one in stats["entries"] if one["name"] == entry)
    return next(one for one in found["variants"] if one["name"] == variant)["steps"][-1]


def session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


NORM = models.noise(5, 32).astype(np.float32) + 1


def attention(*, joined: bool = False) -> ModelProto:
    """x [batch, 6, 32] -> y: four heads, a gated layer of 48 neurons, norms; the heads by Reshape and Transpose.

    `joined`: to a shape that the graph puts together, as exporters write it."""
    tensors = {name: models.noise(index, 32, 32) * 3 for index, name in enumerate(("q", "k", "v", "o"))}
    tensors |= {"up": models.noise(7, 32, 48), "gate": models.noise(8, 32, 48), "down": models.noise(9, 48, 32)}
    tensors |= {"gamma": NORM, "beta": models.noise(6, 32), "split": np.array([0, 0, 4, 8])}
    tensors |= {"join": np.array([0, 0, 32]), "scale": np.float32(8**-0.5), "qb": models.noise(10, 32)}
    node = helper.make_node
    nodes = [
        node("MatMul", ["x", "q"], ["xq"]),
        node("Add", ["xq", "qb"], ["xqb"]),
        node("MatMul", ["x", "k"], ["xk"]),
        node("MatMul", ["x", "v"], ["xv"]),
    ]
    for name, value, perm in (("q", "xqb", [0, 2, 1, 3]), ("k", "xk", [0, 2, 3, 1]), ("v", "xv", [0, 2, 1, 3])):
        nodes.append(node("Reshape", [value, "split"], [f"{name}4"]))
        nodes.append(node("Transpose", [f"{name}4"], [f"{name}h"], perm=perm))
    nodes += [
        node("MatMul", ["qh", "kh"], ["scores"]),
        node("Mul", ["scores", "scale"], ["scaled"]),
        node("Softmax", ["scaled"], ["chances"], axis=-1),
        node("MatMul", ["chances", "vh"], ["mixed"]),
        node("Transpose", ["mixed"], ["turned"], perm=[0, 2, 1, 3]),
        node("Reshape", ["turned", "join"], ["joined"]),
        node("MatMul", ["joined", "o"], ["out"]),
        node("Add", ["out", "x"], ["residual"]),
        node("LayerNormalization", ["residual", "gamma", "beta"], ["normed"], axis=-1),
        node("MatMul", ["normed", "up"], ["wide"]),
        node("MatMul", ["normed", "gate"], ["gated"]),
        node("Sigmoid", ["gated"], ["open"]),
        node("Mul", ["wide", "open"], ["passed"]),
        node("MatMul", ["passed", "down"], ["narrow"]),
        node("Add", ["narrow", "normed"], ["y"]),
    ]
    if joined:
        tensors |= {"head": np.array([4], np.int32), "size": np.array([8]), "same": np.array([0, 0])}
        del tensors["split"]
        cast = node("Cast", ["head"], ["heads"], to=7)
        nodes = [cast, node("Concat", ["same", "heads", "size"], ["split"], axis=0), *nodes]
    ports = [models.port("x", ["batch", 6, 32])], [models.port("y", ["batch", 6, 32])]
    return models.make(nodes, *ports, [numpy_helper.from_array(a, name) for name, a in tensors.items()])


@pytest.mark.parametrize("joined", [False, True])
def test_heads_and_gated_neurons_go_and_the_graph_follows(tmp_path: Path, joined: bool) -> None:
    models.save(attention(joined=joined), tmp_path / "net.onnx")
    entry = '"net": Entry(source="net.onnx", variants={"h": [prune(heads=0.5)], "n": [prune(neurons=0.5)]})'
    project(tmp_path, entry)
    stats = run(tmp_path, "build", "--json").ok().json
    assert step(stats, "net", "h")["details"]["units"] == {"heads": [4, 2]}
    assert step(stats, "net", "n")["details"]["units"] == {"neurons": [48, 16]}
    assert "generated inputs" in step(stats, "net", "h")["note"]
    graph = onnx.load(assemble(tmp_path / "dist", tmp_path / "h", "net", "h")).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    assert [shapes[name] for name in ("q", "k", "v", "o", "qb")] == [(32, 16)] * 3 + [(16, 32), (16,)]


def test_fused_attention_loses_heads_and_its_number_of_heads_follows(tmp_path: Path) -> None:
    models.save(bert(layers=1), tmp_path / "net.onnx")
    project(tmp_path, '"net": Entry(source="net.onnx", use=[fuse()], variants={"h": [prune(heads=0.5)]})')
    found = step(run(tmp_path, "build", "--json").ok().json, "net", "h")
    assert found["status"] == "ok", found["note"]
    before, after = found["details"]["units"]["heads"]
    assert 2 * after == before
    graph = onnx.load(assemble(tmp_path / "dist", tmp_path / "h", "net", "h")).graph
    (fused,) = (node for node in graph.node if node.op_type == "MultiHeadAttention")
    assert [one.i for one in fused.attribute if one.name == "num_heads"] == [after]


def test_what_cannot_go_that_far_stays_whole_with_the_reason(tmp_path: Path) -> None:
    models.save(models.mlp(width=64), tmp_path / "net.onnx")
    project(tmp_path, '"net": Entry(source="net.onnx", variants={"p": [prune(structured=0.9)]})')
    found = step(run(tmp_path, "build", "--json").ok().json, "net", "p")
    assert (found["status"], found["note"]) == ("skipped", "only 75% of its FLOPs can be cut")


@pytest.mark.parametrize(
    ("step_of", "parts"),
    [
        ("prune(sparsity=0.5, structured=0.3)", ("prune takes `sparsity` or `structured`, not both",)),
        ("prune(structured=0.3, heads=0.2)", ("prune takes `structured` or `heads`, not both",)),
    ],
)
def test_options_that_contradict_each_other_are_told(tmp_path: Path, step_of: str, parts: tuple[str, ...]) -> None:
    models.save(models.mlp(width=32), tmp_path / "net.onnx")
    project(tmp_path, f'"net": Entry(source="net.onnx", variants={{"p": [{step_of}]}})')
    run(tmp_path, "build").failed("MB131", *parts)


def test_a_model_without_what_is_asked_for_is_left_with_the_reason(tmp_path: Path) -> None:
    models.save(models.mlp(width=64), tmp_path / "mlp.onnx")
    models.save(models.if_model(), tmp_path / "branches.onnx")
    steps = {"mlp": "prune(heads=0.5)", "branches": "prune(structured=0.3)"}
    project(tmp_path, "".join(f'"{n}": Entry(source="{n}.onnx", variants={{"p": [{s}]}}), ' for n, s in steps.items()))
    stats = run(tmp_path, "build", "--json").ok().json
    told = {name: step(stats, name, "p") for name in steps}
    assert [one["status"] for one in told.values()] == ["skipped", "skipped"]
    assert told["mlp"]["note"] == "it has no heads that can be cut whole"
    assert "(If: not known what depends on what)" in told["branches"]["note"]


REAL = {
    "basic-pitch": "channels",
    "magika": "",
    "ppocr-det": "channels",
    "silero-vad": "(If: not known what depends on what)",
    "smart-turn": "it is quantized already (QuantizeLinear): put prune before that",
    "voicefilter": "it is quantized already (DynamicQuantizeLinear): put prune before that",
}
"""What is cut, or the reason why nothing is."""


@pytest.mark.slow
@pytest.mark.models
def test_every_real_model_gets_smaller_or_a_reason(tmp_path: Path) -> None:
    entries = ""
    for name in REAL:
        (tmp_path / f"{name}.onnx").symlink_to(real_models.path(name))
        entries += f'"{name}": Entry(source="{name}.onnx", variants={{"p": [prune(structured=0.1)]}}), '
    project(tmp_path, entries)
    stats = run(tmp_path, "build", "--json", timeout=900).ok().json
    for name, expected in REAL.items():
        found = step(stats, name, "p")
        if expected != "channels":
            assert found["status"] == "skipped", name
            assert expected in found["note"]
            continue
        assert found["status"] == "ok", name
        assert found["bytesAfter"] < found["bytesBefore"]
        assert found["details"]["flops"]["after"] <= 0.9 * found["details"]["flops"]["before"]
        assert found["cosine"] > 0.9


def test_flops_are_those_of_the_products() -> None:
    proto = digits_like()
    shapes = {"image": (2, 3, 8, 8), "c": (16, 3, 3, 3), "a": (2, 16, 8, 8), "e": (2, 16, 1, 1), "f": (2, 16)}
    shapes |= {"fc": (16, 10), "y": (2, 10)}
    assert flops(proto.graph.node, shapes) == 2 * (2 * 16 * 64 * 27 + 2 * 16 * 10)


def digits_like() -> ModelProto:
    nodes = [
        helper.make_node("Conv", ["image", "c"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["a"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "fc"], ["y"]),
    ]
    return models.make(nodes, [models.port("image", ["n", 3, 8, 8])], [models.port("y", ["n", 10])])


class Grown:
    """A random network on [2, 4, 6, 6], made of operators that have rules."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.tensors: dict[str, Array] = {}

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.tensors)}"
        self.tensors[name] = (self.random.standard_normal(shape) / np.sqrt(max(np.prod(shape[1:]), 1))).astype("f4")
        return name

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        names = [f"v{len(self.nodes)}{'abc'[index]}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0]

    def conv(self, value: str, size: int, groups: int, out: int) -> str:
        weight = self.weight(out, size // groups, 3, 3)
        bias = [self.weight(out)] if self.random.random() < 0.5 else []
        return self.add("Conv", value, weight, *bias, pads=[1] * 4, group=groups)

    def norm(self, value: str, size: int) -> str:
        name = self.weight(size)
        self.tensors[name] = np.abs(self.tensors[name]) + 0.5
        return self.add("BatchNormalization", value, *(self.weight(size) for _ in range(3)), name)

    def model(self, layers: list[str]) -> ModelProto:
        value, size = self.add("Relu", self.conv("x", 4, 1, 6)), 6
        for layer in layers:
            value, size = getattr(self, f"_{layer}")(value, size)
        flat = self.add("Flatten", value)
        hidden = self.add("Tanh", self.add("Gemm", flat, self.weight(size * 36, 10), self.weight(10)))
        self.nodes.append(helper.make_node("MatMul", [hidden, self.weight(10, 3)], ["y"]))
        tensors = [numpy_helper.from_array(array, name) for name, array in self.tensors.items()]
        return models.make(self.nodes, [models.port("x", ["n", 4, 6, 6])], [models.port("y", ["n", 3])], tensors)

    def _plain(self, value: str, size: int) -> tuple[str, int]:
        return self.add("Relu", self.conv(value, size, 1, 8)), 8

    def _depthwise(self, value: str, size: int) -> tuple[str, int]:
        return self.add("Sigmoid", self.norm(self.conv(value, size, size, size), size)), size

    def _grouped(self, value: str, size: int) -> tuple[str, int]:
        return self.conv(value, size, 2 - size % 2, 2 * size), 2 * size

    def _residual(self, value: str, size: int) -> tuple[str, int]:
        return self.add("Add", value, self.add("Tanh", self.conv(value, size, 1, size))), size

    def _branches(self, value: str, size: int) -> tuple[str, int]:
        parts = self.conv(value, size, 1, 4), self.add("MaxPool", value, kernel_shape=[3, 3], pads=[1] * 4)
        return self.add("Concat", *parts, axis=1), size + 4

    def _gated(self, value: str, size: int) -> tuple[str, int]:
        mean = self.add("GlobalAveragePool", value)
        squeezed = self.add("Relu", self.add("Conv", mean, self.weight(4, size, 1, 1)))
        gate = self.add("Sigmoid", self.add("Conv", squeezed, self.weight(size, 4, 1, 1)))
        return self.add("Mul", value, gate), size

    def _split(self, value: str, size: int) -> tuple[str, int]:
        wide = self.conv(value, size, 1, 8)
        first = self.add("Split", wide, outputs=2, axis=1, num_outputs=2)
        return self.add("Mul", first, self.nodes[-1].output[1]), 4

    def _pixels(self, value: str, size: int) -> tuple[str, int]:
        """As a transformer sees an image: a row a place, a linear layer, and back."""
        name = self.weight(1)
        self.tensors[name] = np.array([0, size, 36])
        rows = self.add("Transpose", self.add("Reshape", value, name), perm=[0, 2, 1])
        rows = self.add("MatMul", self.add("Gelu", self.add("MatMul", rows, self.weight(size, 12))), self.weight(12, 5))
        back = self.weight(1)
        self.tensors[back] = np.array([-1, 5, 6, 6])
        return self.add("Reshape", self.add("Transpose", rows, perm=[0, 2, 1]), back), 5


LAYERS = ("plain", "depthwise", "grouped", "residual", "branches", "gated", "split", "pixels")


@settings(max_examples=25)
@given(st.lists(st.sampled_from(LAYERS), max_size=4), st.integers(0, 10_000))
def test_units_whose_weights_are_zero_go_without_a_trace(layers: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    proto = Grown(seed).model(layers)
    proto.opset_import[0].version = 20
    feeds = {"x": random.standard_normal((2, 4, 6, 6)).astype(np.float32)}
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(proto, Path(folder, "net.onnx"))
        source = read(str(Path(folder, "net.onnx"))).model
        shapes = observed(source, feeds)
        survey = Survey(source, folder, shapes)
        found = families(coupled(survey))
        assert found  # the neurons of the head at least
        going = {
            index: sorted(random.choice(family.units, random.integers(1, family.units), replace=False).tolist())
            for index, family in enumerate(found)
            if random.random() < 0.7
        }
        masks = gone(found, going)
        tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
        for (name, axis), mask in masks.items():
            if name in tensors:
                array = np.moveaxis(numpy_helper.to_array(tensors[name]).copy(), axis, 0)
                array[mask] = 0
                tensors[name].CopyFrom(numpy_helper.from_array(np.moveaxis(array, 0, axis), name))
        onnx.save(proto, Path(folder, "net.onnx"))
        zeroed = read(str(Path(folder, "net.onnx"))).model
        survey = Survey(zeroed, folder, shapes)
        after = shapes_after(survey.shapes, masks)
        result = cut(survey, masks, after, {})
        assert flops(survey.nodes, after) < flops(survey.nodes, survey.shapes) or not masks
        assert observed(result, feeds).items() <= after.items()
        want = session(Path(folder, "net.onnx")).run(None, feeds)
        have = session(Path(written(result, folder))).run(None, feeds)
        np.testing.assert_allclose(have[0], want[0], rtol=1e-3, atol=1e-4)
        assert ops(result).keys() <= ops(zeroed).keys()


@given(st.integers(2, 12), st.integers(1, 3), st.integers(1, 6), st.integers(0, 10_000))
def test_the_ladder_takes_what_costs_least_and_the_fit_is_the_best_one(
    units: int, taps: int, outputs: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    x = random.standard_normal((200, units * taps)) @ random.standard_normal((units * taps, units * taps))
    weight = random.standard_normal((units * taps, outputs))
    useless = int(random.integers(units))
    columns = np.arange(units * taps).reshape(units, taps)
    weight[columns[useless]] = 0
    reader = Reader(x.T @ x / len(x), weight, columns)
    rungs = ladder([reader], range(units - 1, 0, -1))
    assert rungs[0].gone == (useless,)
    assert rungs[0].error < 1e-9
    assert [len(rung.gone) for rung in rungs] == list(range(1, units))
    assert all(a.error <= b.error + 1e-9 for a, b in itertools.pairwise(rungs))
    gone_columns = columns[list(rungs[-1].gone)].ravel()
    fitted = refitted(reader, gone_columns)
    assert not fitted[gone_columns].any()
    loss = np.einsum("kn,kl,ln->", weight - fitted, reader.damped(), weight - fitted)
    kept = np.setdiff1d(np.arange(len(weight)), gone_columns)
    for _ in range(5):
        other = fitted.copy()
        other[kept] += 0.01 * random.standard_normal(other[kept].shape)
        assert np.einsum("kn,kl,ln->", weight - other, reader.damped(), weight - other) >= loss
    assert loss / reader.energy() == pytest.approx(rungs[-1].error, rel=1e-6, abs=1e-9)
