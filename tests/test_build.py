"""`mbundle build` from the outside: a config and models in, an output folder and a report out."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import onnx

from fixtures import models

from . import dist
from .cli import configure, leftovers, run, tree

X = {"x": models.noise(1, 2, 64)}


def change(path: Path, seed: int) -> None:
    """Another last layer."""
    model = onnx.load(path)
    model.graph.initializer[6].CopyFrom(models.tensor("w3", models.noise(seed, 64, 64)))
    models.save(model, path)


def test_a_build_emits_a_whole_folder_that_computes_the_same(app: Path, tmp_path: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx'), 'scores': Entry(source='models/conv.onnx', load='eager')")
    ran = run(app, "build").ok()
    assert ran.stdout == ""
    found = dist.check(app / "dist")
    assert {name: entry["load"] for name, entry in found["entries"].items()} == {"a": "lazy", "scores": "eager"}
    (variant,) = found["entries"]["a"]["variants"]
    assert variant["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["batch", 64]}]
    dist.agree(app / "models/a.onnx", dist.assemble(app / "dist", tmp_path / "again", "a"), X)
    assert leftovers(app) == []
    top = {path.name for path in (app / "dist").iterdir()}
    assert {"assets", "entries", "model-manifest.json", "models.js", "models.d.ts", ".mbundle.json"} <= top
    readable = [path.stat().st_mode & 0o444 for path in (app / "dist").rglob("*") if path.is_file()]
    assert set(readable) == {0o444}, "a web server that runs as somebody else must be able to read the files"


def test_a_second_build_finds_nothing_to_do(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()])")
    run(app, "build").ok()
    before, times = tree(app / "dist"), mtimes(app / "dist")
    again = run(app, "build").ok()
    assert "nothing changed: 1 entry, 1 variant" in again.stderr
    assert (tree(app / "dist"), mtimes(app / "dist")) == (before, times)
    os.utime(app / "models/a.onnx")
    assert run(app, "build", "--json").ok().json["fresh"], "a touched file holds what it held"


def mtimes(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_change_writes_only_what_changed(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx')", "chunks=Chunks(min_size='4 KiB', max_size='16 KiB')")
    run(app, "build").ok()
    before = mtimes(app / "dist/assets")
    graph = next((app / "dist/assets").glob("*.onnx"))
    change(app / "models/a.onnx", 5)
    stats = run(app, "build", "--json").ok().json
    written = [row["file"] for row in stats["files"] if row["written"]]
    assert [name for name in written if name.endswith(".onnx")] == [], "a change of weights leaves the graph alone"
    assert len([name for name in written if name.endswith(".bin")]) == 1
    assert stats["returning"] < 25_000
    assert {name for name, time in mtimes(app / "dist/assets").items() if before.get(name) == time} >= {str(graph)}
    assert before.keys() - mtimes(app / "dist/assets").keys() == set(), "old tabs still need the former chunks"
    change(app / "models/a.onnx", 7)
    run(app, "build").ok()
    gone = before.keys() - mtimes(app / "dist/assets").keys()
    assert any(name.endswith(".bin") for name in gone), "two generations are kept, not three"
    dist.check(app / "dist")


def test_variants_and_entries_share_what_they_have_in_common(app: Path, tmp_path: Path) -> None:
    configure(
        app,
        "'a': Entry(source='models/a.onnx', variants={'q8': [quantize_dynamic()], 'simple': [simplify()], 'fp32': []}),"
        "'b': Entry(source='models/b.onnx')",
        "chunks=Chunks(min_size='4 KiB', max_size='64 KiB')",
    )
    stats = run(app, "build", "--json").ok().json
    found = dist.check(app / "dist")
    names = {v["name"]: {c["file"] for d in v["data"] for c in d["chunks"]} for v in found["entries"]["a"]["variants"]}
    assert list(names) == ["q8", "simple", "fp32"], "the config's order is the one in which the runtime tries them"
    other = {c["file"] for d in found["entries"]["b"]["variants"][0]["data"] for c in d["chunks"]}
    assert names["fp32"] & names["simple"] & other
    assert names["fp32"] - other
    assert not names["q8"] & other
    quantized = next(v for v in stats["entries"][0]["variants"] if v["name"] == "q8")
    assert [step["status"] for step in quantized["steps"]] == ["ok"]
    assert quantized["bytes"] < 0.5 * stats["entries"][0]["bytes"]
    exact = dist.outputs(app / "models/a.onnx", X)["y"]
    close = dist.outputs(dist.assemble(app / "dist", tmp_path / "q8", "a", "q8"), X)["y"]
    assert 0 < np.abs(exact - close).max() < 0.05 * np.abs(exact).max()


def test_a_function_is_a_loader(app: Path, tmp_path: Path) -> None:
    config = """\
from bundler import Entry, define_config

def double(model, context):
    graph = model.to_ir(context.scratch)
    return model

def rename(model):
    return model

config = define_config(entries={"a": Entry(source="models/a.onnx", use=[rename])})
"""
    (app / "model.config.py").write_text(config)
    stats = run(app, "build", "--json").ok().json
    (step,) = stats["entries"][0]["variants"][0]["steps"]
    assert (step["step"], step["status"]) == ("rename", "unchanged")


def test_assets_lie_beside_the_model(app: Path) -> None:
    (app / "vocabulary.txt").write_text("one\ntwo\n")
    configure(app, "'a': Entry(source='models/a.onnx', assets=['vocabulary.txt'])")
    run(app, "build").ok()
    (asset,) = dist.check(app / "dist")["entries"]["a"]["assets"]
    assert asset["name"] == "vocabulary.txt"
    assert re.fullmatch(r"vocabulary-[0-9a-f]{16}\.txt", asset["file"])
    assert (app / "dist/assets" / asset["file"]).read_text() == "one\ntwo\n"
    (app / "vocabulary.txt").write_text("one\nsix\n")
    assert not run(app, "build", "--json").ok().json["fresh"]


def test_small_weights_stay_in_the_graph_file(app: Path, tmp_path: Path) -> None:
    models.save(models.mlp(width=16), app / "models/small.onnx")
    configure(app, "'small': Entry(source='models/small.onnx')")
    run(app, "build").ok()
    assert dist.check(app / "dist")["entries"]["small"]["variants"][0]["data"] == []
    feeds = {"x": models.noise(1, 2, 16)}
    dist.agree(app / "models/small.onnx", dist.assemble(app / "dist", tmp_path / "again", "small"), feeds)


def test_the_output_folder_can_be_elsewhere(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx')", "output=Output(dir='../site/models', base='/models/')")
    run(app, "build").ok()
    dist.check(app / "../site/models")
    assert not (app / "dist").exists()
