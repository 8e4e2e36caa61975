"""prune(sparsity=...): which weights become zero, and what the build says that it saves."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from bundler.graph.model import Region
from bundler.loaders.kernels import magnitude
from bundler.loaders.kernels.output import Output
from bundler.loaders.kernels.tiles import Matrix, Workers
from fixtures import models

from .cli import configure, run

Array = np.ndarray[Any, Any]
HEADER = "from bundler.loaders import prune\n"


def pruned(weight: Array, share: float) -> tuple[Array, int]:
    with tempfile.TemporaryDirectory() as folder, Workers() as workers:
        path = Path(folder, "w.bin")
        path.write_bytes(weight.tobytes())
        matrix = Matrix(Region(str(path), 0, weight.nbytes), weight.dtype.name, *weight.shape)
        area = Output(folder).reserve(weight.shape, magnitude.bits_of(weight.dtype.name))
        zeros = magnitude.prune(matrix, magnitude.threshold(matrix, share, workers), area, workers)
        data = Path(area.region.path).read_bytes()[area.region.offset :][: area.region.length]
        return np.frombuffer(data, weight.dtype).reshape(weight.shape), zeros


@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.floats(0.01, 0.99),
    st.sampled_from(["float32", "float16"]),
    st.integers(0, 99),
)
def test_the_smallest_become_zero_and_the_others_stay_bit_for_bit(
    rows: int, cols: int, share: float, dtype: str, seed: int
) -> None:
    weight = np.random.default_rng(seed).standard_normal((rows, cols)).astype(dtype)
    found, zeros = pruned(weight, share)
    kept = found != 0
    assert zeros == np.count_nonzero(~kept)
    assert np.array_equal(found[kept], weight[kept])
    magnitudes = np.abs(weight.astype(np.float64))
    if kept.any() and zeros:
        assert magnitudes[~kept].max() < magnitudes[kept].min()
    alike = np.unique(magnitudes, return_counts=True)[1].max()
    assert share * weight.size - alike - np.count_nonzero(weight == 0) <= zeros
    assert zeros <= share * weight.size + np.count_nonzero(weight == 0)


def test_weights_that_are_all_alike_stay_and_so_do_nan_and_infinity() -> None:
    assert pruned(np.full((64, 64), 0.5, np.float32), 0.9)[1] == 0
    odd = models.noise(0, 64, 64)
    odd[0, :2] = np.nan, -np.inf
    found, zeros = pruned(odd, 0.5)
    assert zeros == 2048
    assert np.isnan(found[0, 0])
    assert np.isneginf(found[0, 1])


def project(folder: Path, step: str, *more: str) -> None:
    model = models.mlp(width=128, layers=2)
    models.save(model, folder / "net.onnx")
    configure(folder, f'"net": Entry(source="net.onnx", variants={{"p": [{step}]}})', *more)
    config = folder / "model.config.py"
    config.write_text(HEADER + config.read_text())


def test_the_build_says_that_zeros_pay_on_the_wire_only_and_there_they_do(tmp_path: Path) -> None:
    project(tmp_path, "prune(sparsity=0.5)", 'output=Output(compress=["br"])')
    variant = run(tmp_path, "build", "--json").ok().json["entries"][0]["variants"][0]
    (step,) = variant["steps"]
    assert step["status"] == "ok"
    assert step["note"].startswith("50% of 33 k weights are zeros, as many bytes as before; Output(compress=[")
    assert step["bytesAfter"] == step["bytesBefore"]
    details = step["details"]["sparsity"]
    assert (details["weights"], details["zeros"]) == (2 * 128 * 128, 128 * 128)
    assert details["wireAfter"] < 0.65 < details["wireBefore"]
    twins = list((tmp_path / "dist/assets").glob("*.bin.br"))
    assert sum(path.stat().st_size for path in twins) < 0.65 * 2 * 128 * 128 * 4


def test_a_second_time_there_is_nothing_left_to_do(tmp_path: Path) -> None:
    project(tmp_path, "prune(sparsity=0.5), prune(sparsity=0.4)")
    steps = run(tmp_path, "build", "--json").ok().json["entries"][0]["variants"][0]["steps"]
    assert [one["status"] for one in steps] == ["ok", "skipped"]
    assert steps[1]["note"] == "no float weight of 1 KiB or more in its products has so few zeros"


def test_only_the_named_weights_are_pruned_and_a_wrong_name_is_told(tmp_path: Path) -> None:
    project(tmp_path, 'prune(sparsity=0.5, tensors=["w1"])')
    (step,) = run(tmp_path, "build", "--json").ok().json["entries"][0]["variants"][0]["steps"]
    assert step["details"]["sparsity"]["weights"] == 128 * 128
    project(tmp_path, 'prune(sparsity=0.5, tensors=["w9"])')
    run(tmp_path, "build").failed("MB312", "prune: the model has no weight")


@pytest.mark.parametrize("value", ["1.5", "0", '"half"'])
def test_a_sparsity_that_makes_no_sense_is_refused(tmp_path: Path, value: str) -> None:
    project(tmp_path, f"prune(sparsity={value})")
    failed = run(tmp_path, "build")
    assert failed.status == 2
    assert "`sparsity` of prune" in failed.stderr
    assert "model.config.py" in failed.stderr


def test_what_is_quantized_already_is_left_alone_with_the_reason(tmp_path: Path) -> None:
    project(tmp_path, "quantize_dynamic(), prune(sparsity=0.5)")
    quantized, step = run(tmp_path, "build", "--json").ok().json["entries"][0]["variants"][0]["steps"]
    assert quantized["status"] == "ok"
    assert step["status"] == "skipped"
    assert step["note"] == "it is quantized already (DynamicQuantizeLinear): put prune before that"


def test_a_table_that_is_looked_up_is_no_product(tmp_path: Path) -> None:
    from onnx import helper

    table, weight = models.noise(0, 400, 64), models.noise(1, 64, 64)
    nodes = [helper.make_node("Gather", ["t", "i"], ["e"]), helper.make_node("MatMul", ["e", "w"], ["y"])]
    ports = [models.port("i", ["n"], 7)], [models.port("y", ["n", 64])]
    proto = models.make(nodes, *ports, [numpy_helper.from_array(table, "t"), numpy_helper.from_array(weight, "w")])
    project(tmp_path, "prune(sparsity=0.5)")
    models.save(proto, tmp_path / "net.onnx")
    (step,) = run(tmp_path, "build", "--json").ok().json["entries"][0]["variants"][0]["steps"]
    assert step["details"]["sparsity"]["weights"] == 64 * 64
