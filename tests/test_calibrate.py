"""quantize_weights(calibrate=True): the same size or less, and closer, on golden inputs that resemble each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from bundler.loaders.kernels.blocks import Blocks
from bundler.loaders.kernels.feedback import packed, rounded
from bundler.testing.models import make, noise, port, rng, save, tensor

from .cli import run

CONFIG = """from bundler import Entry, Golden, define_config
from bundler.loaders import quantize_weights

FOUR = dict(bits=4, block_size=32, symmetric=False)
config = define_config(entries={
    "net": Entry(source="net.onnx", golden=Golden("golden.npz"), variants={
        "seen": [quantize_weights(calibrate=True, **FOUR)], "plain": [quantize_weights(**FOUR)],
    }),
})
"""


def embedder(words: int = 400, width: int = 64) -> ModelProto:
    """ids -> vectors: a table and two products."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"], name="embed"),
        helper.make_node("MatMul", ["e", "w1"], ["h"], name="first"),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "w2"], ["y"], name="second"),
    ]
    weights = [
        tensor("table", noise(1, words, 8) @ noise(2, 8, width) * 10),
        tensor("w1", noise(3, width, 4 * width)),
        tensor("w2", noise(4, 4 * width, width)),
    ]
    return make(nodes, [port("ids", ["n"], TensorProto.INT64)], [port("y", ["n", width])], weights)


def built(root: Path, ids: np.ndarray[Any, Any], config: str = CONFIG) -> dict[str, Any]:
    save(embedder(), root / "net.onnx")
    np.savez(root / "golden.npz", ids=ids)
    (root / "model.config.py").write_text(config)
    stats = run(root, "build", "--json").ok().json
    return {one["name"]: one["steps"][0] for one in stats["entries"][0]["variants"]}


def test_golden_inputs_make_it_closer_and_no_bigger(tmp_path: Path) -> None:
    found = built(tmp_path, rng(5).integers(0, 100, (8, 64)))
    seen, plain = found["seen"], found["plain"]
    assert seen["status"] == plain["status"] == "ok"
    assert 1 - seen["cosine"] < 0.6 * (1 - plain["cosine"])
    assert seen["bytesAfter"] < 1.1 * plain["bytesAfter"]
    assert seen["ops"]["Where"] == 1
    assert seen["ops"]["com.microsoft::MatMulNBits"] == 2
    assert seen["note"].startswith("calibrated on the golden set, which it is judged by, too")


def test_it_can_learn_from_other_inputs_than_those_that_judge(tmp_path: Path) -> None:
    """The rows of a table that stay 8-bit are those of the other inputs: the golden set looks up all the others."""
    judged, others = np.arange(200, 400), np.arange(100)
    np.savez(tmp_path / "others.npz", ids=others)
    apart = CONFIG.replace('"golden.npz"', '"golden.npz", calibration="others.npz"')
    found = built(tmp_path, judged, apart)["seen"]
    assert found["status"] == "ok"
    assert "judged" not in found["note"]
    alike = built(tmp_path, judged)["seen"]
    assert alike["status"] == "ok"
    assert found["ops"]["Where"] == alike["ops"]["Where"] == 1
    assert found["bytesAfter"] < alike["bytesAfter"] - 2_000
    assert found["cosine"] < alike["cosine"]
    np.savez(tmp_path / "others.npz", ids=others + 1)
    assert built(tmp_path, judged, apart)["seen"]["status"] == "ok", "its bytes are part of the key"


def test_calibration_inputs_that_do_not_fit_are_a_reason(tmp_path: Path) -> None:
    np.savez(tmp_path / "others.npz", words=np.arange(9))
    apart = CONFIG.replace('"golden.npz"', '"golden.npz", calibration="others.npz"')
    seen = built(tmp_path, np.arange(50), apart)["seen"]
    assert seen["status"] == "skipped"
    assert seen["note"].startswith("calibrate=True rounds with other inputs in view, and they cannot be used")


def test_a_table_of_which_all_rows_are_looked_up_stays_one(tmp_path: Path) -> None:
    found = built(tmp_path, np.arange(400))
    assert found["seen"]["status"] == "ok"
    assert "Where" not in found["seen"]["ops"]


def test_without_golden_inputs_it_says_so(tmp_path: Path) -> None:
    save(embedder(), tmp_path / "net.onnx")
    (tmp_path / "model.config.py").write_text(CONFIG.replace(', golden=Golden("golden.npz")', ""))
    stats = run(tmp_path, "build", "--json").ok().json
    (seen,) = (one["steps"][0] for one in stats["entries"][0]["variants"] if one["name"] == "seen")
    assert seen["status"] == "skipped"
    assert seen["note"] == "calibrate=True rounds with golden inputs in view, and the entry has none"


@pytest.mark.parametrize("symmetric", [True, False])
def test_what_is_lost_is_made_up_for(symmetric: bool) -> None:
    """Against rounding each number by itself, on inputs of few dimensions."""
    inputs = rng(6).standard_normal((500, 6)) @ rng(7).standard_normal((6, 64))
    values = noise(8, 64, 32)
    kind = Blocks(4, 32, symmetric)
    squares = inputs.T @ inputs / len(inputs)
    alone, seen = (rounded(values, each, kind, np.float32) for each in (np.eye(64), squares))
    lost = [np.square(inputs @ (restored(found) - values)).mean() for found in (alone, seen)]
    assert lost[1] < 0.3 * lost[0]
    assert packed(seen.integers, kind).shape == kind.shape(64, 32)


def restored(found: Any) -> np.ndarray[Any, Any]:
    whole = found.integers.reshape(-1, 32, found.integers.shape[1]).astype(np.float32)
    values: np.ndarray[Any, Any] = (whole - found.zeros[:, None]) * found.scales[:, None]
    return values.reshape(found.integers.shape)
