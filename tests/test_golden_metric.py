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


ALIKE = """
from bundler import Entry, Golden, define_config
from bundler.loaders import quantize_weights
import numpy as np

def agreement(outputs, reference):
    found, expected = outputs["y"], reference["y"]
    assert found.shape == np.asarray(found).shape == (5, 3, 64)
    assert (found[:, 0] == np.stack([y[0] for y in found])).all()
    assert [y.shape for y in found[1:3]] == [(3, 64)] * 2
    assert found[1:3].argmax() == np.argmax(np.stack([found[1], found[2]]))
    assert not hasattr(found, "argmay")
    assert ((found - expected) ** 2).mean() == np.mean((np.asarray(found) - np.asarray(expected)) ** 2) > 0
    return (found.argmax(-1) == expected.argmax(-1)).mean()

config = define_config(entries={
    "net": Entry(source="net.onnx", use=[quantize_weights()], golden=Golden("golden.npz", metric=agreement)),
})
"""


def test_a_metric_may_use_samples_of_one_shape_as_an_array(tmp_path: Path) -> None:
    models.save(models.mlp(), tmp_path / "net.onnx")
    np.savez(tmp_path / "golden.npz", **{f"{n}/x": models.noise(n, 3, 64) for n in range(5)})
    (tmp_path / "model.config.py").write_text(ALIKE)
    ran = run(tmp_path, "build", "--json")
    assert ran.status == 0, ran.stderr
    assert 0.9 < float(str(step(ran.stdout)["metric"])) <= 1
    assert run(tmp_path, "golden", "record").status == 0
    checked = run(tmp_path, "golden", "check", "--browser", "none")
    assert checked.status == 0, checked.stderr


def test_samples_of_several_shapes_are_no_array_and_the_message_says_what_to_write(tmp_path: Path) -> None:
    code, said = built(tmp_path, "outputs['y'].argmax()")
    told = " ".join(said.split())
    assert code == 2
    assert "agreement raised ValueError: the samples differ in shape, so they are no array: go through them one" in told
    assert "Each argument maps names to the arrays of all samples" in told


def test_a_metric_that_fails_is_an_error_of_the_config(tmp_path: Path) -> None:
    code, said = built(tmp_path, "outputs['z']")
    assert code == 2
    assert "MB325" in said
    assert "agreement raised KeyError" in said
    assert "MB325" in built(tmp_path, "float('nan')")[1]
