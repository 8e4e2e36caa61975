"""`mbundle build` from the outside: a config and models in, an output folder and a report out."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import models

from . import dist
from .cli import Ran, configure, leftovers, run, tree

X = {"x": models.noise(1, 2, 64)}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A project with three models; `a` and `b` share their first layer."""
    root = tmp_path / "app"
    (root / "models").mkdir(parents=True)
    model = models.mlp(width=64, layers=4)
    models.save(model, root / "models/a.onnx")
    model.graph.initializer[6].CopyFrom(models.tensor("w3", models.noise(99, 64, 64)))
    models.save(model, root / "models/b.onnx")
    models.save(models.conv_net(), root / "models/conv.onnx")
    return root


def change(path: Path, seed: int) -> None:
    """Another last layer."""
    model = models.onnx.load(path)
    model.graph.initializer[6].CopyFrom(models.tensor("w3", models.noise(seed, 64, 64)))
    models.save(model, path)


def failed(ran: Ran, code: str, *parts: str) -> None:
    assert ran.status == 1, ran.stderr
    assert ran.stdout == ""
    assert f"error[{code}]" in ran.stderr
    assert "fix: " in ran.stderr
    assert "Traceback" not in ran.stderr
    for part in parts:
        assert part in ran.stderr


# --- what comes out -----------------------------------------------------------------------------------------------


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


# --- where models come from ---------------------------------------------------------------------------------------


def test_all_kinds_of_sources(app: Path, tmp_path: Path) -> None:
    """A folder, node_modules, an installed package, a Hugging Face cache of links, and external data, in one build."""
    (app / "folder").mkdir()
    models.save_external(models.mlp(1), app / "folder/model.onnx")
    (app / "node_modules/@acme/models/onnx").mkdir(parents=True)
    models.save(models.mlp(2), app / "node_modules/@acme/models/onnx/m.onnx")
    site = tmp_path / "site-packages"
    (site / "acme_vad").mkdir(parents=True)
    (site / "acme_vad-1.0.dist-info").mkdir()
    models.save(models.mlp(3), site / "acme_vad/vad.onnx")
    (site / "acme_vad-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme-vad\nVersion: 1.0\n")
    (site / "acme_vad-1.0.dist-info/RECORD").write_text("acme_vad/vad.onnx,,\nacme_vad-1.0.dist-info/METADATA,,\n")
    hub = models.save_in_hub_cache(models.mlp(4), app / "hub")
    configure(
        app,
        "'folder': Entry(source='folder'), 'npm': Entry(source='npm:@acme/models/onnx/m.onnx'),"
        f"'package': Entry(source='package:acme-vad/acme_vad/vad.onnx'), 'hub': Entry(source={hub!r}),",
    )
    path = os.pathsep.join((str(Path(__file__).parent.parent), str(site)))
    run(app, "build", env={"PYTHONPATH": path}).ok()
    found = dist.check(app / "dist")
    assert sorted(found["entries"]) == ["folder", "hub", "npm", "package"]
    for seed, name in enumerate(("folder", "npm", "package", "hub"), 1):
        source = models.save(models.mlp(seed), tmp_path / f"{name}.onnx")
        dist.agree(source, dist.assemble(app / "dist", tmp_path / name, name), X)


def odd_names(model: models.ModelProto) -> models.ModelProto:
    """Names that would break out of a script, a terminal or a path, if anything let them."""
    new = {"x": "</script>\u2028 `${x}`", "w0": "../../w0", "mm0": "\x1b[2J", "add0": "a" * 100_000, "w1": "CON"}
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for value in (*model.graph.initializer, *model.graph.input):
        value.name = new.get(value.name, value.name)
    return model


def trailing_blank() -> models.ModelProto:
    """A LayerNormalization that says of its bias that it has none: valid, and it brings onnxruntime 1.32 down."""
    node = models.helper.make_node("LayerNormalization", ["x", "g", ""], ["y"], name="norm")
    ports = [models.port("x", [2, 32])], [models.port("y", [2, 32])]
    return models.make([node], *ports, [models.tensor("g", models.noise(0, 32))])


UNUSUAL: dict[str, tuple[models.ModelProto, dict[str, np.ndarray[Any, Any]]]] = {
    "constants": (models.constant_weights(), {"x": models.noise(1, 16, 32)}),
    "if": (models.if_model(), {"flag": np.array(False), "x": models.noise(1, 32, 32)}),
    "loop": (models.loop_model(), {"steps": np.array(3), "x": models.noise(1, 2, 32)}),
    "scan": (models.scan_model(), {"x": models.noise(1, 5, 32)}),
    "function": (models.function_model(), {"x": models.noise(1, 4, 32)}),
    "tied": (models.tied_model(), {"ids": np.array([3, 1, 4])}),
    "sparse": (models.sparse_model(), {"x": models.noise(1, 2, 64)}),
    "bf16": (models.cast_model(models.TensorProto.BFLOAT16), {"x": models.noise(1, 1)}),
    "fp8": (models.cast_model(models.TensorProto.FLOAT8E4M3FN), {"x": models.noise(1, 1)}),
    "int4": (models.cast_model(models.TensorProto.INT4), {"x": models.noise(1, 1)}),
    "opset9": (models.mlp(opset=9, ir=4), X),
    "names": (odd_names(models.mlp()), {"</script>\u2028 `${x}`": X["x"]}),
    "blank": (trailing_blank(), {"x": models.noise(1, 2, 32)}),
}


@pytest.fixture(scope="module")
def unusual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One build of all of UNUSUAL."""
    root = tmp_path_factory.mktemp("unusual")
    for name, (model, _) in UNUSUAL.items():
        models.save(model, root / f"{name}.onnx")
    configure(root, "".join(f"{name!r}: Entry(source='{name}.onnx')," for name in UNUSUAL))
    run(root, "build").ok()
    dist.check(root / "dist")
    return root


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_models_build_to_the_same_outputs(name: str, unusual: Path, tmp_path: Path) -> None:
    dist.agree(unusual / f"{name}.onnx", dist.assemble(unusual / "dist", tmp_path, name), UNUSUAL[name][1])


@pytest.mark.slow
def test_more_than_two_gib(app: Path, tmp_path: Path) -> None:
    models.save_huge(app / "models", gib=2.25)
    configure(app, "'huge': Entry(source='models/huge.onnx')")
    run(app, "build", timeout=600).ok()
    found = dist.manifest(app / "dist")
    (variant,) = found["entries"]["huge"]["variants"]
    assert sum(data["bytes"] for data in variant["data"]) >= 2.25 * (1 << 30) - (1 << 20)
    assert max(data["bytes"] for data in variant["data"]) <= 1 << 30, "no browser holds more in one buffer"
    for data in variant["data"]:
        dist.tiled(data)
    graph = dist.read(app / "dist", variant["graph"])
    assert len(graph) < 20_000
    shutil.rmtree(app)


# --- what a person or a program is told ---------------------------------------------------------------------------


def test_the_report_fits_80_columns_and_has_no_colour_in_a_pipe(app: Path) -> None:
    configure(
        app,
        "'a-rather-long-name-for-an-entry-that-nobody-would-choose': Entry(source='models/conv.onnx',"
        "variants={'quantized-to-eight-bits': [simplify(), quantize_dynamic()], 'plain': []})",
        "output=Output(dir='public/static/models')",
    )
    ran = run(app, "build", env={"CI": "1"}).ok()
    assert "\x1b" not in ran.stderr
    assert "\r" not in ran.stderr
    wide = [line for line in ran.stderr.splitlines() if len(line) > 80]
    assert wide == []
    assert re.search(r"✓ built 1 entry, 2 variants in ", ran.stderr)
    coloured = run(app, "build", env={"FORCE_COLOR": "1"}).ok().stderr
    assert "\x1b[" in coloured
    assert "\x1b" not in run(app, "build", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).ok().stderr


def test_json_is_one_object_on_stdout_and_stats_are_kept(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()])")
    with (app / "model.config.py").open("a") as file:
        file.write("print('hello from the config')\n")
    ran = run(app, "build", "--json").ok()
    assert ran.json["ok"] is True
    assert "hello" not in ran.stdout
    total = sum(path.stat().st_size for path in (app / "dist").rglob("*") if path.is_file())
    record = (app / "dist/.mbundle.json").stat().st_size
    assert sum(row["bytes"] for row in ran.json["files"]) == total - record
    kept = json.loads((app / ".mbundle/stats.json").read_bytes())
    assert kept["entries"] == ran.json["entries"]


def test_profile_writes_a_trace_that_viewers_open(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()]), 'c': Entry(source='models/conv.onnx')")
    run(app, "build", "--profile", "trace.json").ok()
    trace = json.loads((app / "trace.json").read_text())
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    for event in spans:
        assert {"name", "ts", "dur", "pid", "tid"} <= event.keys()
        assert event["ts"] >= 0
        assert event["dur"] >= 0
    names = {event["name"] for event in spans}
    assert {"reading the config", "running loaders", "writing chunks", "committing"} <= names
    assert any("simplify" in name for name in names)
    threads = {event["tid"] for event in trace["traceEvents"] if event["name"] == "thread_name"}
    assert {event["tid"] for event in spans} <= threads


def test_profile_replaces_a_trace_and_nothing_else(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx')")
    for _ in range(2):
        run(app, "build", "--profile").ok()
    assert (app / "mbundle-trace.json").exists()
    before = tree(app / "models")
    failed(run(app, "build", "--profile", "models/a.onnx"), "MB193", "models/a.onnx")
    failed(run(app, "build", "--profile", "no/such/folder.json"), "MB193", "no/such/folder.json")
    assert tree(app / "models") == before


def test_mode_is_what_a_function_config_is_given(app: Path) -> None:
    (app / "model.config.py").write_text(
        "from bundler import Entry, Output, define_config\n"
        "def configure(env):\n"
        "    return define_config(\n"
        "        entries={'a': Entry(source='models/a.onnx')}, output=Output(dir=f'{env.command}-{env.mode}')\n"
        "    )\n"
        "config = define_config(configure)\n"
    )
    run(app, "build").ok()
    run(app, "build", "--mode", "development").ok()
    assert dist.check(app / "build-production")["entries"] == dist.check(app / "build-development")["entries"]


# --- when it fails ------------------------------------------------------------------------------------------------

CRASH = """
import os
def crash(model):
    os.kill(os.getpid(), 11)
def leave(model):
    os._exit(0)
def nothing(model):
    pass
def bomb(model):
    return b"x" * (1 << 40)
"""


def test_a_crash_is_one_diagnostic_about_one_entry_and_the_others_still_run(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx')")
    run(app, "build").ok()
    before = tree(app / "dist")
    configure(
        app,
        "'a': Entry(source='models/a.onnx', use=[simplify()]), 'boom': Entry(source='models/a.onnx', use=[crash]),"
        "'gone': Entry(source='models/a.onnx', use=[leave]), 'none': Entry(source='models/a.onnx', use=[nothing]),"
        "'bomb': Entry(source='models/a.onnx', use=[bomb])",
    )
    text = (app / "model.config.py").read_text()
    (app / "model.config.py").write_text(CRASH + text)
    ran = run(app, "build")
    failed(ran, "MB301", "SIGSEGV", "boom")
    for code in ("MB301", "MB305", "MB307", "MB310"):
        assert ran.stderr.count(f"error[{code}]") == 1, ran.stderr
    assert "4 errors" in ran.stderr
    assert tree(app / "dist") == before
    assert leftovers(app) == []
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()])")
    assert run(app, "build", "--json").ok().json["steps"] == {"total": 1, "cached": 1}


def test_a_step_whose_result_is_no_model_is_taken_back(app: Path) -> None:
    """Everything is constant here: simplify folds the whole graph away."""
    node = models.helper.make_node("Relu", ["w"], ["y"])
    model = models.make([node], [], [models.port("y", [4000])], [models.tensor("w", models.noise(1, 4000))])
    models.save(model, app / "models/a.onnx")
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()])")
    (step,) = run(app, "build", "--json").ok().json["entries"][0]["variants"][0]["steps"]
    assert step["status"] == "rolled back"
    assert step["note"] == 'its result cannot be used: the graph "main" has no nodes'
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()], on_regression='error')")
    failed(run(app, "build"), "MB321", "no nodes", "a/simplify")


def test_a_bad_source_does_not_keep_the_other_entries_from_running(app: Path) -> None:
    (app / "models/bad.onnx").write_bytes(b"<!DOCTYPE html><html></html>")
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()]), 'bad': Entry(source='models/bad.onnx')")
    failed(run(app, "build"), "MB205", "models/bad.onnx", "bad")
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()])")
    assert run(app, "build", "--json").ok().json["steps"] == {"total": 1, "cached": 1}


def test_a_failing_build_as_json(app: Path) -> None:
    (app / "models/a.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    configure(app, "'a': Entry(source='models/a.onnx')")
    ran = run(app, "build", "--json")
    assert ran.status == 1
    assert (ran.json["ok"], ran.json["exitStatus"]) == (False, 1)
    (found,) = ran.json["problems"]
    assert (found["code"], found["file"], found["entry"]) == ("MB206", "models/a.onnx", "a")
    assert "git lfs pull" in found["fix"]


def test_a_file_that_is_not_ours_is_never_replaced(app: Path) -> None:
    (app / "dist").mkdir()
    (app / "dist/models.js").write_text("mine")
    configure(app, "'a': Entry(source='models/a.onnx')")
    failed(run(app, "build"), "MB404", "models.js")
    assert tree(app / "dist") == {"models.js": tree(app / "dist")["models.js"]}
    assert (app / "dist/models.js").read_text() == "mine"


def test_usage_errors_exit_with_2(app: Path) -> None:
    for arguments in (["build", "--jbos", "2"], ["biuld"], ["build", "--jobs", "0"], ["build", "extra"]):
        ran = run(app, *arguments)
        assert ran.status == 2
        assert "error[MB191]" in ran.stderr
        assert "fix: " in ran.stderr


@pytest.mark.parametrize("how", ["written", "replaced", "removed"])
def test_a_source_that_changes_while_it_is_built_is_noticed(how: str, app: Path) -> None:
    """Its graph would be that of before, its weights those of after."""
    configure(app, "'b': Entry(source='models/b.onnx')")
    run(app, "build").ok()
    before = tree(app / "dist")
    b = str(app / "models/b.onnx")
    does = {
        "written": f"file = open({b!r}, 'r+b'); file.seek(9000); file.write(bytes(400)); file.close()",
        "replaced": f"import os, shutil; shutil.copy({b!r}, {b!r} + '.new'); os.replace({b!r} + '.new', {b!r})",
        "removed": f"import os; os.unlink({b!r})",
    }
    meddle = f"def meddle(model):\n    import time; time.sleep(0.5)\n    {does[how]}\n    return model\n"
    configure(app, "'a': Entry(source='models/a.onnx', use=[meddle]), 'b': Entry(source='models/b.onnx')")
    (app / "model.config.py").write_text(meddle + (app / "model.config.py").read_text())
    ran = run(app, "build")
    assert ran.status == 1, ran.stderr
    assert ("error[MB412]" if how == "removed" else "error[MB411]") in ran.stderr
    assert "models/b.onnx" in ran.stderr
    assert tree(app / "dist") == before
    assert leftovers(app) == []
