"""`mbundle check` on built projects: what fails, what does not, and what each format says. No browser."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundler.config.budgets import NETWORKS as NAMES
from bundler.serve.networks import NETWORKS

from .cli import Within, configure, environment, run

ENTRY = '"a": Entry(source="models/a.onnx", budget=Budget({budget}))'


def build(app: Path, within: Within, budget: str = "", entry: str = ENTRY) -> None:
    configure(app, entry.format(budget=budget))
    within(app, "build").ok()


def figures(app: Path, network: str | None = None, **values: list[float]) -> None:
    """A benchmark of this output, as `.mbundle/bench.json` keeps it: figure -> low, value, high."""
    manifest = hashlib.sha256((app / "dist/model-manifest.json").read_bytes()).hexdigest()
    found = {
        key: {"low": low, "value": value, "high": high, "samples": [value]}
        for key, (low, value, high) in values.items()
    }
    rows = [{"variant": "default", "device": "wasm", "figures": found}]
    bench = {
        "manifest": manifest,
        "key": {"network": network, "cpuThrottle": 1.0},
        "entries": {"a": {"inputs": {}, "rows": rows}},
    }
    (app / ".mbundle/bench.json").write_text(json.dumps({"version": 1, "benches": [bench]}))


def states(result: Any) -> dict[str, str]:
    return {row["name"]: row["state"] for row in result["verdicts"]}


def size_of(app: Path) -> int:
    """What a first visit downloads of the model, from the manifest."""
    entries = json.loads((app / "dist/model-manifest.json").read_text())["entries"]
    return int(entries["a"]["variants"][0]["measured"]["bytes"])


def test_a_size_budget_that_is_over_is_exit_status_4_and_one_that_is_not_is_0(app: Path, within: Within) -> None:
    build(app, within, 'size="1 kB", first_load="1 GB"')
    failed = within(app, "check")
    assert failed.status == 4
    assert "error[MB540]" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "✗ over" in failed.stdout
    build(app, within, f"size={size_of(app)}, first_load='1 GB'")
    assert within(app, "check").status == 0
    build(app, within, f"size={size_of(app) - 1}, first_load='1 GB'")
    assert within(app, "check").status == 4


def test_the_first_load_counts_the_loader_too(app: Path, within: Within) -> None:
    build(app, within, f"first_load={10**9}")
    row = within(app, "check", "--format", "json").ok().json["entries"]["a"]["default"]
    dist = app / "dist"
    modules = [dist / "entries/a.js", dist / "model-manifest.json", *dist.glob("runtime-*/*.js")]
    assert row["firstLoadBytes"] == row["bytes"] + sum(path.stat().st_size for path in modules)


def test_a_limit_may_warn_instead(app: Path, within: Within) -> None:
    build(app, within, 'size="1 kB", warn=["size"]')
    done = within(app, "check", "--format", "json").ok()
    assert states(done.json) == {"size": "warning"}


def test_a_time_is_over_only_where_its_whole_interval_is(app: Path, within: Within) -> None:
    build(app, within, 'latency="50 ms"')
    for taken, state, status in (([40, 45, 49], "ok", 0), ([45, 60, 80], "close", 0), ([51, 60, 80], "over", 4)):
        figures(app, latencyMs=taken)
        done = within(app, "check", "--no-bench", "--format", "json")
        assert (states(done.json), done.status) == ({"latency": state}, status)


def test_load_time_is_that_of_the_named_network(app: Path, within: Within) -> None:
    build(app, within, 'load="2 s @ 4g"')
    figures(app, None, loadMs=[1, 2, 3])
    done = within(app, "check", "--no-bench")
    assert done.status == 4
    assert "MB541" in done.stderr
    figures(app, "4g", loadMs=[1900, 1950, 1990])
    assert "load @ 4g" in within(app, "check", "--no-bench").ok().stdout


def test_figures_of_another_output_do_not_count(app: Path, within: Within) -> None:
    build(app, within, 'latency="50 ms"')
    figures(app, latencyMs=[1, 2, 3])
    build(app, within, 'latency="50 ms"', ENTRY.replace("a.onnx", "b.onnx"))
    done = within(app, "check", "--no-bench", "--format", "json")
    assert (states(done.json), done.status) == ({"latency": "unknown"}, 4)


def test_growth_against_the_committed_baseline_and_what_a_returning_visitor_pays(app: Path, within: Within) -> None:
    build(app, within, 'growth="2%"')
    git(app, "init", "-q")
    first = within(app, "check", "--update").ok()
    assert "no mbundle-baseline.json yet" in first.stderr
    git(app, "add", "mbundle-baseline.json")
    git(app, "commit", "-qm", "baseline")
    (app / "mbundle-baseline.json").unlink()
    same = within(app, "check", "--base", "HEAD", "--format", "json").ok().json["entries"]["a"]["default"]
    assert (same["returning"], same["newFiles"]) == (0, {})

    before = size_of(app)
    build(app, within, 'growth="2%"', ENTRY.replace("a.onnx", "conv.onnx"))
    build(app, within, 'growth="2%"', ENTRY.replace("a.onnx", "b.onnx"))  # shares layers with a
    changed = within(app, "check", "--base", "HEAD", "--format", "json").ok().json["entries"]["a"]["default"]
    assert 0 < changed["returning"] < before
    assert changed["returning"] == sum(changed["newFiles"].values())


def test_a_dist_folder_is_checked_without_its_config(app: Path, within: Within, tmp_path: Path) -> None:
    build(app, within, f"size={10**6}, growth='2%'")
    within(app, "check", "--update").ok()
    away = tmp_path / "away"
    away.mkdir()
    (app / "dist").rename(away / "dist")
    base = away / "base.json"
    (app / "mbundle-baseline.json").rename(base)
    kept = within(away, "check", "dist", "--base", "base.json", "--format", "json").ok()
    assert states(kept.json) == {"size": "ok", "growth": "ok"}
    smaller = json.loads(base.read_text())
    smaller["entries"]["a"]["variants"]["default"]["bytes"] //= 2
    base.write_text(json.dumps(smaller))
    grown = within(away, "check", "dist", "--base", "base.json", "--format", "json")
    assert (states(grown.json), grown.status) == ({"size": "ok", "growth": "over"}, 4)
    assert within(away, "check", "dist", "--base", "base.json", "--max-growth", "200%").status == 0
    assert within(away, "check", "dist", "--max-size", "1 kB").status == 4


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "no baseline"), (b"[]", "no baseline"), (b'{"version": 9}', "version"), (b"\xff", "no baseline")],
)
def test_a_damaged_baseline_is_named(content: bytes, told: str, app: Path, within: Within) -> None:
    build(app, within, "size=1000000")
    (app / "mbundle-baseline.json").write_bytes(content)
    done = within(app, "check")
    assert done.status == 1
    assert "error[MB542]" in done.stderr
    assert told in done.stderr


def test_a_ref_that_is_none_and_one_that_looks_like_an_option_are_refused(app: Path, within: Within) -> None:
    build(app, within, "size=1000000")
    for ref in ("no-such-ref", "--output=/tmp/x", "HEAD; touch x"):
        done = within(app, "check", f"--base={ref}")
        assert "error[MB542]" in done.stderr, ref


def test_every_format_tells_the_same_and_escapes_what_it_must(app: Path, within: Within) -> None:
    name = "x|<img src=x>`*_@everyone"
    configure(app, '"a": Entry(source="models/a.onnx", variants={"q8": []}, budget=Budget(size="1 kB"))')
    within(app, "build").ok()
    manifest = app / "dist/model-manifest.json"
    hostile = json.loads(manifest.read_text())
    hostile["entries"]["a"]["variants"][0]["name"] = name
    manifest.write_text(json.dumps(hostile))
    outputs = {}
    for form in ("markdown", "junit", "github", "json", "table"):
        done = within(app, "check", "--format", form)
        assert done.status == 4
        outputs[form] = done.stdout
    assert "<img" not in outputs["markdown"]
    assert "@everyone" not in outputs["markdown"]
    rows = [line for line in outputs["markdown"].splitlines() if line.startswith("|") and "size" in line]
    assert rows[0].replace("\\|", "").count("|") == 7
    case = ET.fromstring(outputs["junit"]).find(".//testcase")
    assert case is not None
    assert case.get("classname") == f"a/{name}"
    assert case.find("failure") is not None
    assert outputs["github"].startswith("::error ")
    assert len(outputs["github"].splitlines()) == 1
    assert json.loads(outputs["json"])["ok"] is False


def test_the_history_grows_by_a_line_and_shows_a_trend(app: Path, within: Within) -> None:
    build(app, within, "size=1000000")
    for _ in range(2):
        done = within(app, "check", "--history", "log/models.jsonl").ok()
    lines = [json.loads(line) for line in (app / "log/models.jsonl").read_text().splitlines()]
    assert [line["entries"]["a"]["default"]["bytes"] for line in lines] == [size_of(app)] * 2
    assert {"commit", "time", "entries"} == set(lines[0])
    assert "over 2 checks" in done.stdout
    with open(app / "log/models.jsonl", "a") as file:
        file.write("not json\n")
    assert "over 3 checks" in within(app, "check", "--history", "log/models.jsonl").ok().stdout


def test_the_table_fits_80_columns(app: Path, within: Within) -> None:
    build(app, within, 'size="1 kB", first_load="1 GB", latency="50 ms", load="2 s @ slow-3g", growth="1%"')
    figures(app, latencyMs=[51, 60, 80])
    within(app, "check", "--no-bench", "--update")
    out = within(app, "check", "--no-bench", "--history").stdout
    assert max(map(len, out.splitlines())) <= 80, out


def test_build_warns_of_the_size_and_points_to_check(app: Path, within: Within) -> None:
    configure(app, ENTRY.format(budget='size="1 kB"'))
    done = within(app, "build").ok()
    assert "warning[MB501]" in done.stderr
    assert "mbundle check" in done.stderr


def test_a_config_knows_the_networks_that_the_server_has() -> None:
    assert set(NAMES) == set(NETWORKS)


def test_the_workflow_is_written_once(app: Path) -> None:
    done = run(app, "init", "--ci", "github").ok()
    path = app / ".github/workflows/models.yml"
    assert str(path.relative_to(app)) in done.stderr
    assert "mbundle check" in path.read_text()
    assert run(app, "init", "--ci", "github").status == 2


def test_the_steps_of_the_workflow_do_what_they_should(app: Path, within: Within, tmp_path: Path) -> None:
    """Its own commands, on a commit that has a baseline and then on one that grows."""
    build(app, within, "size=1000000, growth='2%'")
    within(app, "check", "--update").ok()
    run(app, "init", "--ci", "github").ok()
    flow = yaml.safe_load((app / ".github/workflows/models.yml").read_text())
    assert set(flow[True]) == {"pull_request", "push", "schedule"}  # YAML 1.1 reads the key `on` as a boolean
    steps = flow["jobs"]["check"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    scripts = [step for step in steps if any(line.startswith("mbundle ") for line in step.get("run", "").split("\n"))]
    assert scripts[0]["run"] == "mbundle build"
    compare = next(step for step in scripts if "BASE" in step.get("env", {}))

    git(app, "init", "-q")
    git(app, "add", "mbundle-baseline.json")
    git(app, "commit", "-qm", "baseline")
    shim = tmp_path / "bin/mbundle"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bundler "$@"\n')
    shim.chmod(0o755)
    summary = tmp_path / "summary.md"
    more = {"PATH": f"{shim.parent}:{os.environ['PATH']}", "BASE": "HEAD", "GITHUB_STEP_SUMMARY": str(summary)}

    def stepped(script: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-e", "-c", script]
        env = environment() | more
        return subprocess.run(command, cwd=app, env=env, capture_output=True, text=True, check=False, timeout=600)

    assert stepped(scripts[0]["run"]).returncode == 0
    kept = stepped(compare["run"])
    assert (kept.returncode, kept.stdout) == (0, "")
    assert "2 of 2 budgets kept" in summary.read_text()
    configure(app, ENTRY.format(budget="size=1000, growth='2%'"))
    assert stepped(scripts[0]["run"]).returncode == 0
    grown = stepped(compare["run"])
    assert grown.returncode == 4
    assert grown.stdout.startswith("::error title=mbundle::a/default: size is ")
    assert ET.parse(app / "mbundle-junit.xml").find(".//failure") is not None
    assert "1 of 2 budgets kept" in (app / "mbundle-check.md").read_text()
    assert len((app / ".mbundle/history.jsonl").read_text().splitlines()) == 2


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)
