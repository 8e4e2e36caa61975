"""The chain: what is compared, rolled back, cached and told after each step."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from bundler import process
from bundler.config.schema import EntrySpec, GoldenSpec
from bundler.errors import StepError
from bundler.graph.model import Model
from bundler.loaders.record import StepRecord
from bundler.loaders.reference import Reference
from bundler.loaders.workshop import StepInput
from fixtures import models

from .chains import SIMPLIFY, Bench, quantize


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
    monkeypatch.setattr("bundler.loaders.reference.BASELINE_SECONDS", 3.0)
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
