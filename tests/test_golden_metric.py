"""A golden metric of the user's own: found in the config, held at each step, part of the cache key."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fixtures import models

from .cli import run

CONFIG = """
from bundler import Entry, Golden, define_config
from bundler.loaders import quantize_weights

def agreement(outputs, reference, feeds):
    assert len(feeds["x"]) == len(outputs["y"]) == 5 and [len(x) for x in feeds["x"]] == [1, 2, 3, 4, 5]
    return {value}

config = define_config(entries={{
    "net": Entry(
        source="net.onnx", use=[quantize_weights()],
        golden=Golden("golden.npz", metric=agreement, at_least=0.5),
    ),
}})
"""


def built(root: Path, value: str) -> tuple[int, str]:
    if not (root / "net.onnx").exists():
        models.save(models.mlp(), root / "net.onnx")
        np.savez(root / "golden.npz", **{f"{n}/x": models.noise(n, n + 1, 64) for n in range(5)})
    (root / "model.config.py").write_text(CONFIG.format(value=value))
    result = run(root, "build", "--json")
    return result.status, result.stdout if result.status == 0 else result.stderr


def step(output: str) -> dict[str, object]:
    (found,) = json.loads(output)["entries"][0]["variants"][0]["steps"]
    return dict(found)


def test_a_metric_is_recorded_held_and_part_of_the_key(tmp_path: Path) -> None:
    good = step(built(tmp_path, "1 - abs(outputs['y'][4] - reference['y'][4]).max()")[1])
    assert good["status"] == "ok"
    assert 0.9 < float(str(good["metric"])) < 1
    bad = step(built(tmp_path, "0.25")[1])
    assert bad["status"] == "rolled back"
    assert bad["note"] == "its agreement is 0.2500 on the golden set (0.5 is the least)"
    assert step(built(tmp_path, "0.75")[1])["metric"] == 0.75


def test_a_metric_that_fails_is_an_error_of_the_config(tmp_path: Path) -> None:
    code, said = built(tmp_path, "outputs['z']")
    assert code == 2
    assert "MB325" in said
    assert "agreement raised KeyError" in said
    assert "MB325" in built(tmp_path, "float('nan')")[1]
