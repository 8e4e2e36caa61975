"""What a person or a program is told about a build: table, JSON, trace, mode."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from . import dist
from .cli import configure, run, tree


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


def test_a_step_tells_in_which_types_its_result_computes(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify(), quantize_dynamic()])")
    ran = run(app, "build").ok()
    (told,) = re.findall(r"nodes, (ops .*), cosine", ran.stderr)  # simplify changes no type, and says nothing
    kept = json.loads((app / ".mbundle/stats.json").read_bytes())
    (variant,) = kept["entries"][0]["variants"]
    before, after = (step["dtypes"] for step in variant["steps"])
    assert set(before) == set(kept["entries"][0]["dtypes"]) == {"float32"}
    assert sum(after.values()) == variant["steps"][1]["nodesAfter"]
    assert after == variant["dtypes"]
    assert told == "ops " + " + ".join(f"{count} {name}" for name, count in after.items() if name != "int32")
    assert "int8" in told


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
    run(app, "build", "--profile", "models/a.onnx").failed("MB193", "models/a.onnx")
    run(app, "build", "--profile", "no/such/folder.json").failed("MB193", "no/such/folder.json")
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


def test_a_stdout_that_takes_no_more_is_told(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx')")
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "bundler", "build", "--json"],
            cwd=app,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (ran.returncode, "error[MB196]" in ran.stderr) == (1, True), ran.stderr
    assert (app / "dist" / "model-manifest.json").is_file()
