"""dedupe and dce: what is double or dead goes, and the build says what; nothing else changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from bundler.config.schema import LoaderSpec
from bundler.errors import StepError
from fixtures import models

from .chains import SIMPLIFY, Bench, ops

ROOT = Path(__file__).resolve().parent.parent
DEDUPE = LoaderSpec("dedupe", ())


def dce(*outputs: str) -> LoaderSpec:
    return LoaderSpec("dce", (("outputs", outputs),))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def two_heads() -> onnx.ModelProto:
    """x -> scores; x, extra -> feature, over a shared layer; plus a node and a weight that nobody needs."""
    weights = [models.tensor(name, models.noise(seed, 32, 32)) for seed, name in enumerate("abcd")]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["shared"]),
        helper.make_node("MatMul", ["shared", "b"], ["scores"]),
        helper.make_node("MatMul", ["shared", "c"], ["one"]),
        helper.make_node("Sigmoid", ["extra"], ["gate"]),
        helper.make_node("Mul", ["one", "gate"], ["feature"]),
        helper.make_node("MatMul", ["shared", "d"], ["unused"]),
    ]
    ports = [models.port(name, ["n", 32]) for name in ("x", "extra", "scores", "feature")]
    return models.make(nodes, ports[:2], ports[2:], weights)


def twins() -> onnx.ModelProto:
    """Three equal weights, one of them handed out, one used in a branch; and one of the same shape that differs."""
    same, other = models.noise(0, 32, 32), models.noise(1, 32, 32)
    weights = [models.tensor(name, same) for name in ("a", "b", "out")] + [models.tensor("other", other)]
    branch = [
        helper.make_graph([helper.make_node(op, ["x", "b"], [op])], op, [], [models.port(op, None)])
        for op in ("MatMul", "Gemm")
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["y"]),
        helper.make_node("MatMul", ["y", "other"], ["z"]),
        helper.make_node("If", ["flag"], ["w"], then_branch=branch[0], else_branch=branch[1]),
    ]
    inputs = [models.port("x", ["n", 32]), models.port("flag", [], onnx.TensorProto.BOOL)]
    outputs = [models.port(name, ["n", 32]) for name in "zw"] + [models.port("out", [32, 32])]
    return models.make(nodes, inputs, outputs, weights)


def test_equal_weights_become_one_but_for_what_is_an_output(bench: Bench) -> None:
    record, model = bench.one(twins(), DEDUPE)
    assert (record.status, record.note, record.max_error) == ("ok", "without 1 copy of 1 weight", 0)
    assert [weight.name for weight in model.weights] == ["a", "out", "other"]
    assert record.bytes_before - record.bytes_after > 4000


def test_nothing_double_is_the_very_same_model(bench: Bench) -> None:
    source = bench.read(models.mlp())
    assert bench.run_model(source, DEDUPE, dce()).model == source


def test_dead_code_goes_and_is_named(bench: Bench) -> None:
    record, model = bench.one(two_heads(), dce())
    assert record.status == "ok"
    assert record.note == "1 node (1 MatMul); 4.1 kB of weights (d)"
    assert len(model.signature.outputs) == 2


def test_an_output_that_the_page_does_not_need_takes_its_nodes_weights_and_inputs_along(bench: Bench) -> None:
    dropped, simplified = (result := bench.run(two_heads(), dce("scores"), SIMPLIFY)).records
    assert dropped.status == "ok"
    assert dropped.note.startswith("without output feature; without input extra; 4 nodes (2 MatMul, 1 ")
    assert (dropped.max_error, dropped.cosine) == (0, 1)
    assert simplified.status in ("ok", "unchanged")
    assert [port.name for port in result.model.signature.inputs] == ["x"]
    assert [port.name for port in result.model.signature.outputs] == ["scores"]
    assert [weight.name for weight in result.model.weights] == ["a", "b"]
    assert ops(result.model) == {"MatMul": 2}


def test_an_input_that_was_never_used_stays(bench: Bench) -> None:
    proto = models.mlp()
    proto.graph.input.append(models.port("spare", ["n"]))
    source = bench.read(proto)
    assert bench.run_model(source, dce("y")).model == source


def test_a_misspelt_output_is_told_apart(bench: Bench) -> None:
    with pytest.raises(StepError) as caught:
        bench.one(two_heads(), dce("score"))
    (problem,) = caught.value.problems
    assert (problem.code, problem.fix) == ("MB312", "Did you mean 'scores'?")


CONFIG = """
from bundler import Entry, define_config
from bundler.loaders import dce, dedupe

config = define_config(entries={"it": Entry(source="model.onnx", use=[%s], variants={"a": [%s], "b": [dedupe()]})})
"""


def build(folder: Path, use: str, own: str, status: int) -> tuple[str, Any]:
    onnx.save(two_heads(), folder / "model.onnx")
    (folder / "model.config.py").write_text(CONFIG % (use, own))
    done = subprocess.run(
        [sys.executable, "-m", "bundler", "build"],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    )
    assert done.returncode == status, done.stderr
    manifest = folder / "dist" / "model-manifest.json"
    return done.stderr, json.loads(manifest.read_bytes()) if manifest.exists() else None


def test_a_build_ships_what_is_left(tmp_path: Path) -> None:
    told, manifest = build(tmp_path, 'dce(outputs=["scores"])', "", 0)
    assert "without output feature" in told
    variants = manifest["entries"]["it"]["variants"]
    assert [[port["name"] for port in one["outputs"]] for one in variants] == [["scores"], ["scores"]]


def test_variants_that_differ_in_their_outputs_are_refused(tmp_path: Path) -> None:
    told, manifest = build(tmp_path, "", 'dce(outputs=["scores"])', 1)
    assert "MB313" in told
    assert "Put dce(outputs=...) into the entry's `use`" in told
    assert manifest is None
