"""auto: the smallest precision of each weight that keeps the accuracy, found once and written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundler.loaders.search.hull import Option, assigned, moves
from fixtures import models

from .cli import run

CONFIG = """from bundler import Entry, Golden, define_config
from bundler.loaders import auto

config = define_config(entries={
    "net": Entry(
        source="net.onnx",
        variants={"small": [auto(accuracy=ACCURACY)]},
        golden=Golden("golden.npz"),
    ),
})
"""


def project(root: Path, accuracy: float) -> Path:
    models.save(models.mlp(width=256, layers=3), root / "net.onnx")
    np.savez(root / "golden.npz", **{f"{n}/x": models.noise(n, 8, 256) for n in range(3)})
    (root / "model.config.py").write_text(CONFIG.replace("ACCURACY", str(accuracy)))
    return root


def step(stats: Any, index: int = 0) -> Any:
    return stats["entries"][0]["variants"][0]["steps"][index]


def test_the_hull_leaves_out_what_no_exchange_rate_picks() -> None:
    good, dear, small = Option(0, 100, 1.0), Option(1, 110, 5.0), Option(2, 150, 6.0)
    line = moves({"a": [good, dear, small], "b": [Option(0, 100, 2.0)]})
    assert [(move.weight, move.choice) for move in line] == [("a", 0), ("b", 0), ("a", 2)]
    assert assigned(line[:2]) == {"a": 0, "b": 0}
    assert assigned(line) == {"a": 2, "b": 0}


def test_auto_keeps_the_accuracy_searches_once_and_writes_its_recipe(tmp_path: Path) -> None:
    project(tmp_path, 0.999)
    first = run(tmp_path, "build", "--json").ok().json
    found = step(first)
    assert found["status"] == "ok"
    assert found["cosine"] >= 0.999
    assert found["bytesAfter"] < 0.3 * found["bytesBefore"]
    assert all(trial["metric"] >= 0.999 for trial in found["details"]["tried"] if trial["bytes"] >= found["bytesAfter"])
    loose = project(tmp_path, 0.98)
    assert step(run(loose, "build", "--json").ok().json)["bytesAfter"] < found["bytesAfter"]

    project(tmp_path, 0.999)
    (tmp_path / "dist" / "model-manifest.json").unlink()
    again = run(tmp_path, "build", "--json", "--write").ok()
    assert step(again.json)["status"] == "cached"
    text = (tmp_path / "model.config.py").read_text()
    assert "auto(" not in text
    assert "from bundler.loaders import auto, quantize_weights" in text
    written = run(tmp_path, "build", "--json").ok().json
    assert step(written, -1)["bytesAfter"] == found["bytesAfter"]
    names = {file["file"] for file in written["files"] if file["kind"] in ("weights", "graph")}
    assert names == {file["file"] for file in first["files"] if file["kind"] in ("weights", "graph")}


@pytest.mark.parametrize("accuracy", [1.5])
def test_an_accuracy_that_nothing_reaches_leaves_the_model_as_it_is(tmp_path: Path, accuracy: float) -> None:
    found = step(run(project(tmp_path, accuracy), "build", "--json").ok().json)
    assert found["status"] == "skipped"
    assert found["note"] == "nothing smaller keeps 1.5"


def test_a_recipe_needs_a_list(tmp_path: Path) -> None:
    text = (project(tmp_path, 0.99) / "model.config.py").read_text()
    text = text.replace("[auto(accuracy=0.99)]", "[best]").replace("config =", "best = auto(accuracy=0.99)\nconfig =")
    (tmp_path / "model.config.py").write_text(text)
    failed = run(tmp_path, "build", "--write")
    assert failed.status == 1
    assert "MB194" in failed.stderr
    assert (tmp_path / "model.config.py").read_text() == text
