"""Output(compress=[...]): twins only where they pay, as reliable as every other file of a build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import brotli
import jsonschema
import numpy as np
import onnx
import pytest
import zstandard
from onnx import TensorProto, helper

from bundler.emit.manifest import read_manifest
from bundler.errors import InputError
from fixtures import models

from .cli import HEAD, run
from .test_emit_manifest import SCHEMA, strict

DECODE = {"br": brotli.decompress, "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)}
SUFFIX = {"br": ".br", "zstd": ".zst"}


def lookup(values: np.ndarray[Any, Any]) -> onnx.ModelProto:
    """ids -> rows of an int32 table."""
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows"])]
    inputs = [models.port("ids", ["n"], TensorProto.INT64)]
    outputs = [models.port("rows", ["n", values.shape[1]], TensorProto.INT32)]
    return models.make(nodes, inputs, outputs, [models.tensor("table", values)])


def project(folder: Path, output: str = 'compress=["br", "zstd"]') -> Path:
    """Two entries of 2 MB: one of numbers below 100, one of noise that no compressor shrinks."""
    folder.mkdir(exist_ok=True)
    rng = models.rng(0)
    onnx.save(lookup(rng.integers(0, 100, (5000, 100), dtype=np.int32)), folder / "shrinks.onnx")
    onnx.save(lookup(rng.integers(-(2**31), 2**31, (5000, 100), dtype=np.int32)), folder / "noise.onnx")
    (folder / "labels.txt").write_text("a cat and a dog\n" * 500)
    return configured(folder, output)


def configured(folder: Path, output: str) -> Path:
    entries = "{'shrinks': Entry(source='shrinks.onnx', assets=['labels.txt']), 'noise': Entry(source='noise.onnx')}"
    (folder / "model.config.py").write_text(f"{HEAD}config = define_config(entries={entries}, output=Output({output}))")
    return folder


def build(folder: Path) -> Any:
    run(folder, "build").ok()
    return json.loads((folder / "dist/model-manifest.json").read_bytes())


def twins(folder: Path) -> dict[str, bytes]:
    files = (folder / "dist/assets").iterdir()
    return {path.name: path.read_bytes() for path in files if path.suffix in SUFFIX.values()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = project(tmp_path_factory.mktemp("compress"))
    build(folder)
    return folder


def test_what_shrinks_has_twins_that_decode_to_it_and_the_manifest_tells_their_size(built: Path) -> None:
    manifest = json.loads((built / "dist/model-manifest.json").read_bytes())
    jsonschema.validate(manifest, strict(SCHEMA))
    assert read_manifest(str(built / "dist")).encodings == manifest["encodings"]
    found = twins(built)
    told = {f"{name}{SUFFIX[kind]}": n for name, kinds in manifest["encodings"].items() for kind, n in kinds.items()}
    assert told == {name: len(data) for name, data in found.items()}
    for name, kinds in manifest["encodings"].items():
        whole = (built / "dist/assets" / name).read_bytes()
        for kind in kinds:
            twin = found[name + SUFFIX[kind]]
            assert DECODE[kind](twin) == whole
            assert len(twin) <= 0.95 * len(whole)


def test_weights_and_texts_that_shrink_have_both_twins_and_noise_has_none(built: Path) -> None:
    manifest = json.loads((built / "dist/model-manifest.json").read_bytes())

    def chunks(entry: str) -> list[str]:
        (variant,) = manifest["entries"][entry]["variants"]
        return [chunk["file"] for data in variant["data"] for chunk in data["chunks"]]

    label = manifest["entries"]["shrinks"]["assets"][0]["file"]
    for name in (*chunks("shrinks"), label):
        assert manifest["encodings"][name].keys() == {"br", "zstd"}
    assert not [name for name in chunks("noise") if name in manifest["encodings"]]


def test_zstd_windows_are_what_browsers_take(built: Path) -> None:
    for name, data in twins(built).items():
        if name.endswith(".zst"):
            assert zstandard.get_frame_parameters(data).window_size <= 8 << 20


def test_the_same_bytes_in_another_folder_and_again(built: Path, tmp_path: Path) -> None:
    other = project(tmp_path / "other")
    assert build(other) == json.loads((built / "dist/model-manifest.json").read_bytes())
    assert twins(other) == twins(built)


def test_a_later_build_compresses_nothing_again(tmp_path: Path) -> None:
    folder = project(tmp_path)
    build(folder)
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "dist/assets").iterdir()}
    lost = next(name for name in twins(folder) if name.endswith(".br"))
    (folder / "dist/assets" / lost).write_bytes(b"damaged")
    configured(folder, 'compress=["zstd", "br"], max_opset=21')
    build(folder)
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "dist/assets").iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == {lost}
    assert twins(folder)[lost] != b"damaged"


def test_twins_go_with_the_build_that_had_them(tmp_path: Path) -> None:
    folder = project(tmp_path)
    build(folder)
    (folder / "dist/assets/mine.br").write_bytes(b"not of mbundle's making")
    configured(folder, "keep=1")
    assert "encodings" not in build(folder)
    assert list(twins(folder)) == ["mine.br"]


def test_the_table_tells_what_goes_over_the_wire(built: Path) -> None:
    (built / "model.config.py").touch()
    ran = run(built, "build", "--json").ok()
    row = next(row for row in ran.json["files"] if "compressed" in row and row["kind"] == "weights")
    assert row["compressed"].keys() == {"br", "zst"}
    assert not [row for row in ran.json["files"] if row["file"].endswith((".br", ".zst"))]
    assert ".zst" in run(built, "build").ok().stderr


@pytest.mark.parametrize(
    ("encodings", "wrong"),
    [
        ({"0000.bin": {"br": 1}}, "manifest.encodings.0000.bin must be a file that the manifest names"),
        ({"../x": {"br": 1}}, "manifest.encodings must be text like"),
        ([], "manifest.encodings must be an object"),
    ],
)
def test_a_forged_table_is_refused(built: Path, tmp_path: Path, encodings: Any, wrong: str) -> None:
    manifest = json.loads((built / "dist/model-manifest.json").read_bytes()) | {"encodings": encodings}
    (tmp_path / "model-manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError) as caught:
        read_manifest(str(tmp_path))
    assert caught.value.problems[0].what.startswith(wrong)


def test_an_unknown_encoding_is_pointed_at(tmp_path: Path) -> None:
    ran = run(project(tmp_path, 'compress=["gzip"]'), "build")
    assert ran.status == 2
    assert "MB113" in ran.stderr
