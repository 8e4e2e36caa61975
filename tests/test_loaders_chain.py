"""Chains of loaders on small models, with real libraries in real children: each known trap is handled and told."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from bundler import process
from bundler.config.schema import EntrySpec, GoldenSpec, LoaderSpec, VariantSpec
from bundler.errors import MbundleError, StepError
from bundler.graph.model import Model
from bundler.graph.read import ReadPolicy
from bundler.loaders.chain import ChainResult, Reference, StepInput, Workshop, run_chain
from bundler.loaders.record import StepRecord
from fixtures import models

SIMPLIFY = LoaderSpec("simplify", (("skip", ()),))


def quantize(**options: Any) -> LoaderSpec:
    defaults: dict[str, Any] = {"weight_type": "auto", "per_channel": False, "ops": (), "reduce_range": False}
    return LoaderSpec("quantize_dynamic", tuple(sorted((defaults | options).items())))


class Bench:
    """Runs chains on models in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.told: list[str] = []
        self.shop = Workshop(
            str(folder),
            str(folder / "model.config.py"),
            "production",
            str(self.scratch),
            told=lambda label, line: self.told.append(line),
        )

    def read(self, proto: ModelProto) -> Model:
        path = self.folder / "source.onnx"
        onnx.save(proto, path)
        policy = ReadPolicy(str(self.folder), str(self.scratch))
        model: Model = process.run("bundler.graph.read:read_model", str(path), policy).model
        return model

    def run(self, proto: ModelProto, *steps: LoaderSpec, **entry: Any) -> ChainResult:
        return self.run_model(self.read(proto), *steps, **entry)

    def run_model(self, model: Model, *steps: LoaderSpec, **entry: Any) -> ChainResult:
        variant = VariantSpec("q8", steps)
        spec = EntrySpec("icons", "source.onnx", str(self.folder / "source.onnx"), (variant,), **entry)
        return run_chain(spec, variant, model, self.shop)

    def one(self, proto: ModelProto, step: LoaderSpec, **entry: Any) -> tuple[StepRecord, Model]:
        result = self.run(proto, step, **entry)
        (record,) = result.records
        return record, result.model


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def ops(model: Model) -> dict[str, int]:
    return dict(model.ops)


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


def test_a_model_that_would_grow_is_rolled_back(bench: Bench) -> None:
    """The names of what is added are made of the names that are there."""
    name = "y" * 2000
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("MatMul", ["m", "w"], [name])]
    weight = models.tensor("w", models.noise(0, 32, 32))
    source = bench.read(models.make(nodes, [models.port("x", [4, 32])], [models.port(name, [4, 32])], [weight]))
    result = bench.run_model(source, quantize())
    assert result.records[0].status == "rolled back"
    assert "bigger" in result.records[0].note
    assert result.model == source


def test_a_table_that_holds_minus_infinity_stays(bench: Bench) -> None:
    table = models.noise(0, 200, 64)
    table[3] = -np.inf
    nodes = [helper.make_node("Gather", ["table", "ids"], ["y"])]
    ids = models.port("ids", ["n"], TensorProto.INT64)
    proto = models.make(nodes, [ids], [models.port("y", ["n", 64])], [models.tensor("table", table)])
    record, _ = bench.one(proto, quantize())
    assert (record.status, record.note) == ("skipped", 'weight "table" holds infinity or NaN')


def test_a_regression_can_fail_the_build_instead(bench: Bench) -> None:
    with pytest.raises(StepError) as caught:
        bench.one(models.mlp(width=128), quantize(), on_regression="error", max_error=1e-6)
    (problem,) = caught.value.problems
    assert (problem.code, problem.entry, problem.step) == ("MB324", "icons", "quantize_dynamic")


def test_the_entrys_max_error_rolls_back_what_is_too_far_off(bench: Bench) -> None:
    record, _ = bench.one(models.mlp(width=128), quantize(), max_error=1e-6)
    assert record.status == "rolled back"
    assert "max_error is 1e-06" in record.note
    assert record.max_error is not None


def test_a_crash_of_a_library_is_one_problem_about_the_entry(bench: Bench) -> None:
    """The gates refuse a stride of 0, so the crash is asked for: a model that is not gated reaches onnxsim."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], strides=[0, 0])]
    ports = [models.port("x", [1, 1, 4, 4])], [models.port("y", [1, 1, 4, 4])]
    with pytest.raises(StepError) as caught:
        bench.one(models.make(nodes, *ports, [models.tensor("w", np.ones((1, 1, 1, 1), np.float32))]), SIMPLIFY)
    (problem,) = caught.value.problems
    assert (problem.code, problem.entry) == ("MB301", "icons")
    assert "simplify icons/q8 crashed (SIGFPE" in problem.what


def test_what_a_result_cannot_be_compared_on_is_told(bench: Bench) -> None:
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["m"]),
        helper.make_node("Identity", ["m"], ["y"]),
    ]
    ports = [models.port("x", [4, 64])], [models.port("y", [4, 64])]
    record, _ = bench.one(models.make(nodes, *ports, [models.tensor("w", models.noise(0, 64, 64))]), quantize())
    assert record.status == "ok"
    assert record.note == "not compared: it is random (RandomNormalLike)"
    assert record.max_error is None


def test_a_source_that_never_ends_is_not_compared(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session opens, its run does not come back: the wall clock ends it, and the step is told to be unproven."""
    monkeypatch.setattr("bundler.loaders.chain.BASELINE_SECONDS", 3.0)
    proto = models.loop_model(width=64)
    proto.graph.input.pop(0)
    proto.graph.initializer.append(models.tensor("steps", np.array(1 << 62)))
    proto.graph.node.add().CopyFrom(helper.make_node("Identity", ["y"], ["z"]))
    proto.graph.output.append(models.port("z", [2, 64]))
    record, _ = bench.one(proto, quantize())
    assert record.note.startswith("not compared: running icons was stopped")


def test_golden_inputs_are_used_when_there_are_some(bench: Bench) -> None:
    golden = bench.folder / "golden.npz"
    np.savez(golden, x=models.noise(5, 4, 3, 128))
    source = bench.read(models.mlp(width=128))
    entry = EntrySpec("icons", "s", "s", (), golden=GoldenSpec(str(golden)))
    baseline = Reference(entry, source, bench.shop).baseline()
    assert (baseline.samples, baseline.note) == (3, "")
    with np.load(baseline.path) as arrays:
        assert (arrays["1/in/0"] == models.noise(5, 4, 3, 128)[1]).all()
    record, _ = bench.one(models.mlp(width=128), quantize(), golden=entry.golden)
    assert record.status == "ok"


def test_a_golden_file_that_does_not_fit_is_told(bench: Bench) -> None:
    golden = bench.folder / "golden.npz"
    np.savez(golden, other=np.zeros(3))
    record, _ = bench.one(models.mlp(width=128), quantize(), golden=GoldenSpec(str(golden)))
    assert "the golden file has no arrays for its inputs" in record.note


def test_the_source_and_its_folder_are_left_alone(bench: Bench) -> None:
    proto = models.mlp(width=128)
    source = bench.read(proto)
    before = (bench.folder / "source.onnx").read_bytes()
    bench.run_model(source, SIMPLIFY, quantize())
    assert (bench.folder / "source.onnx").read_bytes() == before
    assert sorted(os.listdir(bench.folder)) == ["scratch", "source.onnx"]


def test_results_are_the_same_bytes_every_time(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Bench(tmp_path_factory.mktemp("other"))
    first, second = (b.run(models.conv_net(), SIMPLIFY, quantize()).model for b in (bench, other))
    assert first.skeleton == second.skeleton
    assert contents(first) == contents(second)


def contents(model: Model) -> list[bytes]:
    found = []
    for weight in model.weights:
        with open(weight.region.path, "rb") as file:
            file.seek(weight.region.offset)
            found.append(file.read(weight.region.length))
    return found


class Remembering:
    """A StepCache in memory, keyed by all that the chain says a step depends on."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Model, StepRecord]] = {}
        self.loads: list[bool] = []

    def load(self, step: StepInput) -> tuple[Model, StepRecord] | None:
        found = self.kept.get(self.key(step))
        self.loads.append(found is not None)
        return found

    def save(self, step: StepInput, result: Model, record: StepRecord) -> Model:
        self.kept[self.key(step)] = (result, StepRecord.from_json(record.as_json()))
        return result

    @staticmethod
    def key(step: StepInput) -> str:
        return repr((step.spec, step.model, step.version, step.tools, step.files, sorted(step.context.items())))


def test_a_second_run_takes_every_step_from_the_cache(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.shop = replace(bench.shop, cache=Remembering())
    source = bench.read(models.mlp(width=128))
    cold = bench.run_model(source, SIMPLIFY, quantize(), quantize())
    monkeypatch.setattr(process, "run", lambda *args, **options: pytest.fail("a child was started"))
    warm = bench.run_model(source, SIMPLIFY, quantize(), quantize())
    assert warm.model == cold.model
    assert [(record.status, record.cached) for record in warm.records] == [
        ("cached", True),
        ("cached", True),
        ("skipped", True),
    ]
    assert warm.records[1].cosine == cold.records[1].cosine


def test_what_changes_a_verdict_is_part_of_the_key(bench: Bench) -> None:
    cache = Remembering()
    bench.shop = replace(bench.shop, cache=cache)
    source = bench.read(models.mlp(width=128))
    bench.run_model(source, quantize())
    bench.run_model(source, quantize(), max_error=10.0)
    bench.run_model(source, quantize(), on_regression="error")
    bench.run_model(source, quantize(per_channel=True))
    assert cache.loads == [False] * 4


FUNCTIONS = """
from bundler import Entry, define_config

def same(model):
    print("looked at", model.nodes)
    return model

def nothing(model): pass

def number(model): return 3

def proto(model):
    import onnx
    return onnx.load_model_from_string(model.skeleton)

def edited(model, context):
    ir = model.to_ir()
    ir.graph.node(0).name = "renamed"
    return model.with_ir(ir, context.scratch)

def wrong(model, context):
    import numpy as np, onnx_ir
    ir = model.to_ir()
    ir.graph.initializers["w0"].const_value = onnx_ir.tensor(np.zeros((64, 64), np.float32))
    return model.with_ir(ir, context.scratch)

def raising(model): raise KeyError("nope")

config = define_config(entries={"icons": Entry(source="source.onnx", use=[%s])})
"""


def function_step(bench: Bench, name: str) -> LoaderSpec:
    (bench.folder / "model.config.py").write_text(FUNCTIONS % name)
    return LoaderSpec(name, (), kind="function", where="icons/use/0", digest="0")


def test_a_plain_function_that_returns_the_model_is_unchanged_and_heard(bench: Bench) -> None:
    record, _ = bench.one(models.mlp(), function_step(bench, "same"))
    assert record.status == "unchanged"
    assert bench.told == ["looked at 7"]


def test_a_plain_function_may_edit_the_graph(bench: Bench) -> None:
    record, model = bench.one(models.mlp(), function_step(bench, "edited"))
    assert record.status == "ok"
    assert record.note.startswith("it makes the model bigger")  # told, but the user's own decision
    assert b"renamed" in model.skeleton


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("nothing", "MB310", "nothing returned nothing"),
        ("number", "MB311", "returned int, not a bundler Model"),
        ("proto", "MB311", "ModelProto"),
        ("raising", "MB306", "KeyError: 'nope'"),
    ],
)
def test_a_function_that_does_something_else_is_named(bench: Bench, name: str, code: str, words: str) -> None:
    with pytest.raises(MbundleError) as caught:
        bench.one(models.mlp(), function_step(bench, name))
    (problem,) = caught.value.problems
    assert (problem.code, problem.entry) == (code, "icons")
    assert words in problem.what


def test_a_function_that_zeroes_a_weight_is_caught(bench: Bench) -> None:
    record, _ = bench.one(models.mlp(layers=1), function_step(bench, "wrong"), max_error=1e-3)
    assert record.status == "rolled back"
    assert "differs from the source" in record.note
