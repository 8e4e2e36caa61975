"""`mbundle golden`: what is recorded, and what a native check makes of the emitted files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundler.loaders.verify.metrics import NAMED
from bundler.measure.goldenfile import accuracy as figures
from fixtures import models

from .cli import run

CONFIG = """
import numpy as np
from bundler import Budget, Entry, Golden, define_config
from bundler.loaders import quantize_weights

def rows():
    for n in range(3):
        yield {{"x": np.full((n + 1, 64), n, np.float32), "labels": np.arange(n + 1)}}

def negated(model, context):
    edited = model.to_ir()
    value = edited.graph.outputs[0]
    import onnx_ir as ir
    made = ir.node("Neg", [value])
    made.outputs[0].name = "negated"
    edited.graph.append(made)
    value.name, made.outputs[0].name = "before", value.name
    edited.graph.outputs[0] = made.outputs[0]
    made.outputs[0].shape, made.outputs[0].type = value.shape, value.type
    return model.with_ir(edited, context.scratch)

def spread(outputs, reference):
    (found,), (wanted,) = outputs.values(), reference.values()
    return float(np.sign(sum((a * b).sum() for a, b in zip(found, wanted))))

config = define_config(entries={{"net": Entry(source="net.onnx", {more})}})
"""


def project(root: Path, more: str = "") -> Path:
    if not (root / "net.onnx").exists():
        models.save(models.mlp(), root / "net.onnx")
    (root / "model.config.py").write_text(CONFIG.format(more=more))
    return root


def recorded(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    with np.load(root / "golden/net.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    return json.loads(arrays.pop("meta").tobytes()), arrays


def test_the_layout_is_the_documented_one_and_the_bytes_are_the_same_again(tmp_path: Path) -> None:
    project(tmp_path, "golden=Golden(rows)")
    told = run(tmp_path, "golden", "record", "--json").ok().json
    assert told["entries"][0] | {"outputs": None} == {
        "entry": "net", "file": "golden/net.npz", "written": True, "samples": 3, "inputsFrom": "function",
        "outputs": None,
    }  # fmt: skip
    meta, arrays = recorded(tmp_path)
    assert (meta["version"], meta["inputs"], meta["samples"]) == (1, ["x", "labels"], 3)
    assert set(meta["source"]) == {"net.onnx"}
    assert set(arrays) == {f"{n}/{kind}" for n in range(3) for kind in ("in/0", "in/1", "out/0")}
    assert arrays["2/in/0"].tolist() == np.full((3, 64), 2).tolist()
    before = (tmp_path / "golden/net.npz").read_bytes()
    (tmp_path / "golden/net.npz").unlink()
    run(tmp_path, "golden", "record").ok()
    assert (tmp_path / "golden/net.npz").read_bytes() == before
    again = run(tmp_path, "golden", "record", "--json").ok().json
    assert not again["entries"][0]["written"]


@pytest.mark.parametrize("given", ["folder", "file", "nothing"])
def test_where_inputs_come_from(tmp_path: Path, given: str) -> None:
    (tmp_path / "samples").mkdir()
    stack = models.noise(1, 2, 3, 64)
    np.save(tmp_path / "samples/a.npy", stack)
    np.savez(tmp_path / "samples/b.npz", x=stack[0])
    option = {"folder": 'Golden("samples")', "file": 'Golden("samples/b.npz")', "nothing": "None"}[given]
    project(tmp_path, f"golden={option}")
    done = run(tmp_path, "golden", "record", "--json").ok().json
    meta, arrays = recorded(tmp_path)
    count, origin = {"folder": (3, "folder"), "file": (1, "file"), "nothing": (3, "generated")}[given]
    assert (meta["samples"], meta["inputsFrom"]) == (count, origin)
    assert [warning["code"] for warning in done["warnings"]] == (["MB520"] if given == "nothing" else [])
    if given == "folder":
        assert [arrays[f"{n}/in/0"].tobytes() for n in range(3)] == [a.tobytes() for a in (*stack, stack[0])]


def test_a_recorded_set_serves_as_inputs_of_steps_and_of_the_next_recording(tmp_path: Path) -> None:
    run(project(tmp_path, "golden=Golden(rows)"), "golden", "record").ok()
    before = recorded(tmp_path)
    project(tmp_path, 'golden=Golden("golden/net.npz", metric="top1", at_least=0.5), use=[quantize_weights()]')
    run(tmp_path, "golden", "record").ok()
    assert before[1].keys() == recorded(tmp_path)[1].keys()
    (step,) = run(tmp_path, "build", "--json").ok().json["entries"][0]["variants"][0]["steps"]
    assert step["metric"] >= 0.5


def test_inputs_that_do_not_fit_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "wrong.npz", z=np.zeros(3))
    project(tmp_path, 'golden=Golden("wrong.npz")')
    run(tmp_path, "golden", "record").failed("MB529", "no arrays for its inputs", "net")
    assert not (tmp_path / "golden").exists()


def checked(root: Path, *more: str) -> tuple[int, Any]:
    done = run(root, "golden", "check", "--browser", "none", "--json", *more)
    return done.status, done.json


def test_a_native_check_measures_the_emitted_files(tmp_path: Path) -> None:
    project(tmp_path, 'golden=Golden(rows), variants={"q8": [quantize_weights()], "fp32": []}')
    run(tmp_path, "build").ok()
    run(tmp_path, "golden", "check", "--browser", "none").failed("MB521", "golden/net.npz")
    run(tmp_path, "golden", "record").ok()
    status, told = checked(tmp_path)
    assert status == 0
    variants = told["entries"]["net"]["variants"]
    q8, fp32 = (variants[name]["providers"]["native"] for name in ("q8", "fp32"))
    assert fp32["maxAbs"] < 1e-5 < q8["maxAbs"]
    assert (q8["samples"], q8["status"]) == (3, "ok")
    kept = json.loads((tmp_path / ".mbundle/golden.json").read_bytes())
    assert kept == {"version": 1, "entries": told["entries"]}
    chunk = max((tmp_path / "dist/assets").glob("*.bin"), key=lambda path: path.stat().st_size)
    chunk.write_bytes(bytes(chunk.stat().st_size))  # it is the files that are run, not what the build remembers
    run(tmp_path, "golden", "check", "--browser", "none").failed("MB422", chunk.name)


def test_a_bar_that_a_variant_misses_fails(tmp_path: Path) -> None:
    """What was built before the bar was there: a build itself would roll the step back."""
    golden = 'golden=Golden(rows, metric="top1"{})'
    project(tmp_path, golden.format("") + ', variants={"bad": [negated], "fp32": []}, max_error=1e9')
    run(tmp_path, "build").ok()
    run(tmp_path, "golden", "record").ok()
    project(tmp_path, golden.format(", at_least=0.9") + ', variants={"bad": [negated], "fp32": []}, max_error=1e9')
    status, told = checked(tmp_path)
    assert status == 1
    (wrong,) = told["problems"]
    assert wrong["code"] == "MB524"
    assert wrong["what"].startswith("net/bad on native: its top1 is 0.0000")
    assert checked(tmp_path, "--variant", "fp32")[0] == 0
    accuracy = figures(str(tmp_path))
    assert (accuracy["net"]["bad"]["value"], accuracy["net"]["fp32"]["value"]) == (0, 1)
    assert accuracy["net"]["bad"] | {"identity": ""} == {
        "metric": "top1", "value": 0, "atLeast": 0.9, "worst": "native", "identity": "", "scores": {"top1": 0},
        "cosine": accuracy["net"]["bad"]["cosine"],
    }  # fmt: skip


def test_several_metrics_each_with_its_own_bar_and_budget(tmp_path: Path) -> None:
    variants = ', variants={"bad": [negated], "fp32": []}, max_error=1e9'
    metrics = 'golden=Golden(rows, metrics={{"top5": 0, spread: {}, "labels": None}}){}'
    budget = ", budget=Budget(accuracy={'top5': 0.0, spread: 0.25, 'labels': 0.0})"
    project(tmp_path, metrics.format(0.25, budget) + variants)
    run(tmp_path, "golden", "record").ok()
    run(tmp_path, "build").ok()  # only the first metric judges steps
    status, told = checked(tmp_path)
    row = told["entries"]["net"]
    assert (row["metric"], row["bars"]) == ("top5", {"top5": 0, "spread": 0.25, "labels": None})
    bad, fp32 = (row["variants"][name]["providers"]["native"] for name in ("bad", "fp32"))
    assert (fp32["metrics"]["spread"], fp32["status"]) == (1, "ok")
    assert bad["metrics"].keys() == {"top5", "spread", "labels"}
    assert bad["value"] == bad["metrics"]["top5"] < 1
    assert (status, bad["status"]) == (1, "wrong")
    assert bad["note"] == f"its spread is {bad['metrics']['spread']:.4f} (0.25 is the least)"
    shown = run(tmp_path, "golden", "check", "--browser", "none").stderr
    assert "spread -1.0000 (least 0.25)" in shown
    assert max(len(line) for line in shown.splitlines() if "least" in line or "top5" in line) <= 80

    result = run(tmp_path, "check", "--json")
    found = {(one["name"], one.get("metric", "")): one["state"] for one in result.json["verdicts"]}
    assert (result.status, found) == (
        4, {("accuracy", ""): "ok", ("accuracy", "spread"): "over", ("accuracy", "labels"): "ok"},
    )  # fmt: skip
    assert "net/bad: spread is -1, its budget is at least 0.25" in result.stderr
    run(tmp_path, "check", "--update", "--history")
    again = run(tmp_path, "check", "dist", "--base", "mbundle-baseline.json", "--json")  # budgets of the baseline
    assert {(one["metric"], one["base"]) for one in again.json["verdicts"] if "metric" in one} == {
        ("spread", -1), ("labels", bad["metrics"]["labels"]),
    }  # fmt: skip
    report = run(tmp_path, "report", "--json").ok().json
    assert report["entries"][0]["variants"][0]["accuracy"]["scores"]["spread"] == -1
    assert report["entries"][0]["budget"]["scores"] == {"spread": 0.25, "labels": 0}

    project(tmp_path, metrics.format(-2, budget) + variants)
    assert checked(tmp_path)[0] == 0


def test_a_changed_source_and_unknown_names_are_told(tmp_path: Path) -> None:
    run(project(tmp_path, "golden=Golden(rows)"), "golden", "record").ok()
    run(tmp_path, "build").ok()
    models.save(models.mlp(seed=5), tmp_path / "net.onnx")
    run(tmp_path, "build").ok()
    status, told = checked(tmp_path)
    assert [warning["code"] for warning in told["warnings"]] == ["MB522"]
    assert (status, told["ok"]) == (0, True)
    assert run(tmp_path, "golden", "check", "other").status == 2
    assert "MB528" in run(tmp_path, "golden", "check", "--variant", "q4").stderr
    (tmp_path / "golden/net.npz").write_bytes(b"PK")
    run(tmp_path, "golden", "check").failed("MB523")


def arrays(*values: Any) -> dict[str, list[Any]]:
    return {"y": [np.array(value, np.float32) for value in values]}


@pytest.mark.parametrize(
    ("name", "found", "expected", "value"),
    [
        ("top1", arrays([[1, 2, 3], [9, 0, 0]]), arrays([[0, 0, 1], [0, 5, 0]]), 0.5),
        ("top5", arrays([list(range(10))]), arrays([[*range(5), 0, 0, 0, 8, 9]]), 0.4),
        ("tokens", arrays([[[1, 0], [0, 1]]]), arrays([[[1, 0], [1, 0]]]), 0.5),
        ("tokens", {"y": [np.array([1, 2, 3, 4])]}, {"y": [np.array([1, 2, 0, 4])]}, 0.75),
        ("iou", arrays([[0.9, 0.9, 0.1, 0.1]]), arrays([[0.9, 0.1, 0.9, 0.1]]), 1 / 3),
        ("iou", arrays([[-3, 2, 5]]), arrays([[-1, 4, -2]]), 0.5),
        ("iou", arrays([[0, 0]]), arrays([[0, 0]]), 1.0),
    ],
)
def test_named_metrics(name: str, found: Any, expected: Any, value: float) -> None:
    assert NAMED[name](found, expected, {}) == pytest.approx(value)


def test_labels_are_compared_with_the_largest_score() -> None:
    scores = arrays([[0, 1, 0], [1, 0, 0]], [[0, 0, 1]])
    assert NAMED["labels"](scores, {}, {"labels": [np.array([1, 1]), np.array([2])]}) == pytest.approx(2 / 3)
