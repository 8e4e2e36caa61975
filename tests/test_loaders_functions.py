"""Plain functions as steps."""

from __future__ import annotations

import pytest

from bundler.config.schema import LoaderSpec
from bundler.errors import MbundleError
from fixtures import models

from .chains import Bench

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
    ir.graph.node(0).name = "renamed at some length"
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
