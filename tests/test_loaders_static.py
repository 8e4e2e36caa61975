"""quantize_static: calibration from files and functions, every method, old opsets; through the CLI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bundler.config.schema import GoldenSpec, LoaderSpec
from bundler.errors import StepError
from bundler.loaders.record import StepRecord
from fixtures import models

from .chains import Bench, ops

ROOT = Path(__file__).resolve().parent.parent


def static(*calibration: str, **options: Any) -> LoaderSpec:
    defaults = {"method": "minmax", "percentile": 99.9, "per_channel": True, "ops": (), "activations": "uint8"}
    given = {"calibration": calibration, "samples": 128} | defaults | options
    return LoaderSpec("quantize_static", tuple(sorted(given.items())))


def images(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return models.rng(seed).standard_normal((count, 3, 32, 32)).astype(np.float32)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    np.savez(tmp_path / "c.npz", image=images(8)[:, None])
    np.savez(tmp_path / "golden.npz", image=images(3, seed=1)[:, None])
    return Bench(tmp_path)


def quantized(bench: Bench, proto: onnx.ModelProto, spec: LoaderSpec) -> tuple[StepRecord, dict[str, int]]:
    record, model = bench.one(proto, spec, golden=GoldenSpec(str(bench.folder / "golden.npz")))
    return record, ops(model)


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_every_method_gives_a_model_a_quarter_the_size_that_agrees(bench: Bench, method: str) -> None:
    record, found = quantized(bench, models.conv_net(channels=64), static("c.npz", method=method))
    assert (record.status, record.note.partition(";")[0]) == ("ok", "calibrated on 8 samples")
    assert record.bytes_after < 0.32 * record.bytes_before
    assert found["Conv"] == 2
    assert found["QuantizeLinear"] >= 3
    assert record.cosine is not None
    assert record.cosine > 0.99


def test_a_model_of_an_old_opset_is_raised_so_that_channels_have_scales(bench: Bench) -> None:
    proto = models.conv_net(channels=64)
    proto.opset_import[0].version = 11
    record, _ = quantized(bench, proto, static("c.npz"))
    assert record.status == "ok"
    assert record.cosine is not None
    assert record.cosine > 0.99


def test_no_more_samples_than_asked_for_and_the_same_bytes_twice(bench: Bench) -> None:
    source = bench.read(models.conv_net(channels=64))
    first, second = (bench.run_model(source, static("c.npz", samples=3)) for _ in range(2))
    assert first.records[0].note.startswith("calibrated on 3 samples")
    assert first.model.skeleton == second.model.skeleton
    assert first.model.weights[0].region.path != second.model.weights[0].region.path


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"picture": images(1)}, "c.npz has no array for the input 'image'"),
        ({"image": images(1).astype(np.int32)}, "c.npz has int32 for the input 'image', which is float32"),
        ({"image": images(1) * np.inf}, "c.npz has NaN or infinity for the input 'image'"),
        ({"image": images(0)[:, None]}, "there is no sample in the calibration data"),
        ({"image": np.array([{}])}, "c.npz cannot be read: Object arrays cannot be loaded"),
    ],
)
def test_data_that_does_not_fit_is_an_error(bench: Bench, data: dict[str, Any], told: str) -> None:
    np.savez(bench.folder / "c.npz", **data)
    with pytest.raises(StepError) as caught:
        bench.one(models.conv_net(), static("c.npz"))
    (problem,) = caught.value.problems
    assert problem.code == "MB314"
    assert problem.what.startswith(told)


def test_samples_of_another_shape_are_a_mistake_in_the_data(bench: Bench) -> None:
    np.savez(bench.folder / "c.npz", image=images(1)[:, :2])
    with pytest.raises(StepError) as caught:
        bench.one(models.conv_net(), static("c.npz"))
    assert caught.value.problems[0].code == "MB314"
    assert caught.value.problems[0].what.startswith("the model fails on sample 1: ")


def test_reasons_to_leave_a_model_as_it_is(bench: Bench) -> None:
    fused = LoaderSpec("fuse", (("attention", True),))
    spec = static("c.npz", ops=("Conv",))
    _, after = bench.run(models.conv_net(), fused, spec).records
    assert (after.status, after.note) == (
        "skipped",
        "it has none of Conv; put it before fuse(), which has made FusedConv",
    )
    once, twice = bench.run(models.conv_net(channels=64), static("c.npz"), static("c.npz")).records
    assert (once.status, twice.status) == ("ok", "skipped")
    assert twice.note == "it is quantized already (QuantizeLinear)"


CONFIG = """
from pathlib import Path

import numpy as np
from bundler import Entry, define_config
from bundler.loaders import quantize_static

def samples():
    assert Path("model.onnx").exists()  # its paths are the config's
    for seed in range(COUNT):
        yield np.random.default_rng(seed).standard_normal((1, 3, 32, 32), dtype=np.float32)

COUNT = 2
config = define_config(entries={"it": Entry(source="model.onnx", use=[quantize_static(WHAT)])})
"""


def build(folder: Path, what: str, count: int = 2, status: int = 0) -> str:
    if not (folder / "model.onnx").exists():
        onnx.save(models.conv_net(channels=64), folder / "model.onnx")
    config = CONFIG.replace("WHAT", what).replace("COUNT = 2", f"COUNT = {count}")
    (folder / "model.config.py").write_text(config)
    done = subprocess.run(
        [sys.executable, "-m", "bundler", "build"],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    )
    assert done.returncode == status, done.stderr
    return done.stderr


def test_a_function_of_the_config_calibrates_and_its_edit_builds_again(tmp_path: Path) -> None:
    assert "calibrated on 2 samples" in build(tmp_path, "samples")
    assert "calibrated on 3 samples" in build(tmp_path, "calibration=samples", count=3)


def test_a_folder_calibrates_and_a_file_more_builds_again(tmp_path: Path) -> None:
    (tmp_path / "calib").mkdir()
    np.save(tmp_path / "calib" / "0.npy", images(1))
    assert "calibrated on 1 sample" in build(tmp_path, '"calib"')
    np.save(tmp_path / "calib" / "1.npy", images(1, seed=1))
    assert "calibrated on 2 samples" in build(tmp_path, '"calib"')
    np.save(tmp_path / "calib" / "1.npy", images(3, seed=2)[:, None])
    assert "calibrated on 4 samples" in build(tmp_path, '"calib"')
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".mbundle",
        "calib",
        "dist",
        "model.config.py",
        "model.onnx",
    ]


def test_data_that_is_not_there_is_pointed_at_in_the_config(tmp_path: Path) -> None:
    (tmp_path / "calib").mkdir()
    told = build(tmp_path, '"calibs"', status=2)
    assert "MB148" in told
    assert 'Did you mean "calib"?' in told
    assert 'quantize_static("calibs")' in told
    assert "a folder without any .npz or .npy file" in build(tmp_path, '"calib"', status=2)
    assert "quantize_static needs the option `calibration`" in build(tmp_path, "", status=2)
