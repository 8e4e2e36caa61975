"""auto: the smallest precision of each weight that keeps the accuracy, found once and written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from bundler.loaders.auto import Auto
from bundler.loaders.dce import Dce
from bundler.loaders.declared import step_limits
from bundler.loaders.search.goal import Goal, Trial, pareto
from bundler.loaders.search.hull import Option, assigned, moves
from bundler.loaders.search.table import lines
from bundler.process import Limits
from fixtures import models

from .cli import run

CONFIG = """from bundler import Entry, Golden, define_config
from bundler.loaders import auto

config = define_config(entries={
    "net": Entry(
        source="net.onnx",
        variants={"small": [auto(GOAL)]},
        golden=Golden("golden.npz"),
    ),
})
"""


def project(root: Path, goal: float | str) -> Path:
    """`goal`: an accuracy, or arguments of auto."""
    models.save(models.mlp(width=256, layers=3), root / "net.onnx")
    np.savez(root / "golden.npz", **{f"{n}/x": models.noise(n, 8, 256) for n in range(3)})
    (root / "model.config.py").write_text(CONFIG.replace("GOAL", goal if isinstance(goal, str) else f"accuracy={goal}"))
    return root


def step(stats: Any, index: int = 0) -> Any:
    return stats["entries"][0]["variants"][0]["steps"][index]


def tried(found: Any) -> list[Any]:
    return list(found["details"]["tried"])


def test_the_hull_leaves_out_what_no_exchange_rate_picks() -> None:
    good, dear, small = Option(0, 100, 1.0), Option(1, 110, 5.0), Option(2, 150, 6.0)
    line = moves({"a": [good, dear, small], "b": [Option(0, 100, 2.0)]})
    assert [(move.weight, move.choice) for move in line] == [("a", 0), ("b", 0), ("a", 2)]
    assert assigned(line[:2]) == {"a": 0, "b": 0}
    assert assigned(line) == {"a": 2, "b": 0}


def test_auto_keeps_the_accuracy_searches_once_and_writes_its_recipe(tmp_path: Path) -> None:
    close = step(run(project(tmp_path, 0.99994), "build", "--json").ok().json)
    assert close["status"] == "ok"
    assert close["cosine"] >= 0.99994
    assert close["bytesAfter"] < 0.3 * close["bytesBefore"]
    assert all(trial["metric"] >= 0.99994 for trial in tried(close) if trial["bytes"] >= close["bytesAfter"])

    project(tmp_path, 0.98)
    first = run(tmp_path, "build", "--json").ok().json
    found = step(first)
    assert found["cosine"] >= 0.98
    assert found["bytesAfter"] < close["bytesAfter"]
    (tmp_path / "dist" / "model-manifest.json").unlink()
    again = run(tmp_path, "build", "--json", "--write").ok()
    assert step(again.json)["status"] == "cached"
    text = (tmp_path / "model.config.py").read_text()
    assert "auto(" not in text
    assert "calibrate=True" in text
    assert "from bundler.loaders import auto, quantize_weights, simplify" in text
    written = run(tmp_path, "build", "--json").ok().json
    assert step(written, -1)["bytesAfter"] == found["bytesAfter"]
    names = {file["file"] for file in written["files"] if file["kind"] in ("weights", "graph")}
    assert names == {file["file"] for file in first["files"] if file["kind"] in ("weights", "graph")}


@pytest.mark.parametrize("accuracy", [1.5])
def test_an_accuracy_that_nothing_reaches_leaves_the_model_as_it_is(tmp_path: Path, accuracy: float) -> None:
    found = step(run(project(tmp_path, accuracy), "build", "--json").ok().json)
    assert found["status"] == "skipped"
    assert found["note"] == "nothing smaller keeps 1.5"


def test_a_long_search_is_not_ended_by_the_limit_of_a_step() -> None:
    plain = Limits.for_model(1 << 20).wall
    assert step_limits(Auto(minutes=30), 1 << 20).wall == plain + 1800
    assert step_limits(Dce(), 1 << 20).wall == step_limits(None, 1 << 20).wall == plain


def test_a_recipe_needs_a_list(tmp_path: Path) -> None:
    text = (project(tmp_path, 0.99) / "model.config.py").read_text()
    text = text.replace("[auto(accuracy=0.99)]", "[best]").replace("config =", "best = auto(accuracy=0.99)\nconfig =")
    (tmp_path / "model.config.py").write_text(text)
    failed = run(tmp_path, "build", "--write")
    assert failed.status == 1
    assert "MB194" in failed.stderr
    assert (tmp_path / "model.config.py").read_text() == text


def test_the_most_accurate_within_a_size(tmp_path: Path) -> None:
    found = step(run(project(tmp_path, 'size="0.3 MB"'), "build", "--json").ok().json)
    assert found["status"] == "ok"
    assert found["bytesAfter"] <= 300_000
    within = [trial for trial in tried(found) if trial["bytes"] <= 300_000]
    assert len(within) < len(tried(found))
    assert found["details"]["tried"][0]["steps"] == "as it is"
    best = max(within, key=lambda trial: trial["metric"])
    assert found["bytesAfter"] == best["bytes"]
    assert any("float16" in trial["steps"] for trial in tried(found))

    too_small = step(run(project(tmp_path, 'size="20 kB", accuracy=0.5'), "build", "--json").ok().json)
    assert too_small["status"] == "skipped"
    assert too_small["note"].startswith("nothing keeps to 0.5 and 0.02 MB: the smallest has 0.1")


def test_a_latency_is_measured_and_told_with_its_noise(tmp_path: Path) -> None:
    ran = run(project(tmp_path, 'latency="10 s"'), "build", "--json").ok()
    found = step(ran.json)
    assert found["status"] == "ok"
    assert found["note"].count("in native onnxruntime on this machine") == 1
    timed = [trial for trial in tried(found) if trial.get("latencyMs")]
    assert len(timed) == len(tried(found)) >= 4
    assert any(trial["steps"].startswith("quantize_dynamic") for trial in timed)
    assert all(0 < trial["latencyMs"] < 10_000 and trial["latencySpread"] >= 0 for trial in timed)
    assert any("±" in line for line in found["details"]["table"])
    none = step(run(project(tmp_path, 'latency="0.0001 ms"'), "build", "--json").ok().json)
    assert none["status"] == "skipped"
    assert none["note"].startswith("nothing keeps to 0.0001 ms: the fastest takes ")


@pytest.mark.parametrize(
    ("goal", "code"), [('size="5 apples"', "MB112"), ("latency=-1", "MB11"), ("size=True", "MB112")]
)
def test_a_goal_that_is_none_is_refused(tmp_path: Path, goal: str, code: str) -> None:
    refused = run(project(tmp_path, goal), "build")
    assert refused.status == 2
    assert f"error[{code}" in refused.stderr


def test_the_better_of_two_trials() -> None:
    small, good = Trial("a", 1, 10, 0.96), Trial("b", 1, 20, 0.99)
    assert min((small, good), key=Goal(0.95).rank) is small
    assert min((small, good), key=Goal(size=30).rank) is good
    assert not Goal(size=15).reached(good)
    assert not Goal(latency=5.0).reached(good)
    slow = Trial("c", 0, 10, 1.0, 4.8, 0.1)
    assert Goal(latency=5.0).reached(slow)
    assert Goal(latency=5.0).doubtful(slow)
    assert not Goal(latency=6.0).doubtful(slow)


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([0.1, 0.5, 0.9])), min_size=1, max_size=12))
def test_the_front_is_what_none_beats(pairs: list[tuple[int, float]]) -> None:
    trials = [Trial("", 0, nbytes, metric) for nbytes, metric in pairs]
    front = [trials[index] for index in pareto(trials)]
    for one in trials:
        assert any(other.nbytes <= one.nbytes and other.metric >= one.metric for other in front)
    ordered = sorted(front, key=lambda trial: trial.nbytes)
    assert [trial.metric for trial in ordered] == sorted(trial.metric for trial in front)


def test_the_picture_fits_a_terminal() -> None:
    trials = [
        Trial(f"simplify, fuse, {n} in 8 bits (rows), float16", n, n * 10**6, 1 - 1 / n, 1.0, 0.1) for n in range(1, 30)
    ]
    shown = lines(trials, Goal(0.9), trials[12])
    assert max(map(len, shown)) <= 62
    assert sum(line.startswith(">") for line in shown) == 1
    assert sum(">" in line for line in shown) == 2


def test_what_matters_least_is_pruned_and_written_down(tmp_path: Path) -> None:
    """Half of the hidden units hardly reach the output; and there are inputs enough to tell."""
    project(tmp_path, 0.98)
    net = models.mlp(width=256, layers=3)
    inner = next(tensor for tensor in net.graph.initializer if list(tensor.dims) == [256, 256])
    inner.CopyFrom(numpy_helper.from_array(_half_faint(numpy_helper.to_array(inner)), inner.name))
    models.save(net, tmp_path / "net.onnx")
    np.savez(tmp_path / "golden.npz", x=models.noise(5, 8, 64, 256))
    first = run(tmp_path, "build", "--json").ok().json
    found = step(first)
    assert any("prune" in trial["steps"] for trial in tried(found))
    assert [one["loader"] for one in found["details"]["recipe"]].count("prune") == 1
    assert found["cosine"] >= 0.98
    run(tmp_path, "build", "--write").ok()
    assert "prune(structured=0." in (tmp_path / "model.config.py").read_text()
    written = run(tmp_path, "build", "--json").ok().json
    assert step(written, -1)["bytesAfter"] == found["bytesAfter"]


def _half_faint(columns: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.where(np.arange(columns.shape[1]) % 2, columns, columns * 1e-3).astype(np.float32)
