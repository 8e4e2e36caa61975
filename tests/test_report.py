"""`mbundle report`: an output folder as data, by the command line."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.report.page.layers import layer_path
from bundler.report.page.pareto import front

from .cli import ROOT, configure, run

ENTRIES = """
    "small": Entry(source="models/a.onnx", use=[simplify()], variants={"q8": [quantize_dynamic()], "fp32": []},
                   budget=Budget(size="1 kB", latency_p95="50 ms", load="2 s")),
    "twin": Entry(source="models/b.onnx"),
"""


@pytest.fixture
def built(app: Path) -> Path:
    configure(app, ENTRIES, 'chunks=Chunks(min_size="4 KiB", max_size="12 KiB")')
    run(app, "build").ok()
    return app


def reported(folder: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = run(folder, "report", *arguments, "--format", "json").ok().json
    return found


def test_every_byte_is_told(built: Path) -> None:
    found = reported(built)
    manifest = json.loads((built / "dist/model-manifest.json").read_bytes())
    assert [entry["name"] for entry in found["entries"]] == sorted(manifest["entries"])
    for entry in found["entries"]:
        for variant in entry["variants"]:
            assert sum(row["bytes"] for row in variant["tensors"]) == variant["bytes"]
            chunks = {row["chunk"] for row in variant["tensors"]} - {"graph file", ""}
            assert chunks == {
                file["file"]
                for file in found["files"]
                if f"{entry['name']}/{variant['name']}" in file["users"] and file["kind"] == "weights"
            }
    small = next(entry for entry in found["entries"] if entry["name"] == "small")
    q8, fp32 = small["variants"]
    assert {row["dtype"] for row in q8["tensors"]} >= {"float32", "int8"}
    assert {row["op"] for row in fp32["tensors"] if row["bytes"] > 4096} <= {"MatMul", "Gemm"}
    assert small["budget"] == {"bytes": 1000, "p95Ms": 50, "loadMs": 2000}
    assert [step["step"] for step in q8["steps"]] == ["simplify", "quantize_dynamic"]
    assert sum(q8["steps"][-1]["weights"].values()) < sum(small["source"]["weights"].values())
    assert "MatMulInteger" in q8["steps"][-1]["ops"]
    assert set(small["source"]["dtypes"]) == {"float32"}
    assert set(q8["steps"][-1]["dtypes"]) == {"float32", "uint8", "int8"}
    assert any(len(file["users"]) > 1 for file in found["files"])
    assert found["missing"].keys() == {"latency", "waterfall", "golden", "history"}


def test_a_folder_alone_is_enough(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "dist", tmp_path / "elsewhere/dist")
    found = reported(tmp_path / "elsewhere", "dist")
    assert {one["name"] for one in found["entries"]} == {"small", "twin"}
    assert all(not variant["steps"] for entry in found["entries"] for variant in entry["variants"])
    assert found["missing"]["steps"] == "mbundle build"
    text = run(tmp_path / "elsewhere", "report", "dist", "--format", "md").ok().stdout
    assert "| `q8`" in text
    assert "`mbundle bench` fills: waterfall." in text


def test_a_named_folder_has_the_budgets_of_the_baseline(built: Path) -> None:
    run(built, "check", "--update", "--no-bench")
    of_config, of_baseline = reported(built), reported(built, "dist")
    assert of_baseline["entries"][0]["budget"] == of_config["entries"][0]["budget"] != {}


@pytest.mark.parametrize(
    "content", ["", "[]", "{", "null", '{"entries": 3, "benches": [1, {"entries": {"small": 2}}]}']
)
def test_damaged_facts_are_passed_over(built: Path, content: str) -> None:
    for name in ("stats.json", "bench.json", "golden.json", "history.jsonl"):
        (built / ".mbundle" / name).write_text(content)
    (built / "mbundle-baseline.json").write_text(content)
    run(built, "report").ok()
    assert (built / "mbundle-report.html").stat().st_size < 1_500_000


def test_a_bench_of_other_bytes_is_not_shown(built: Path) -> None:
    row = {"variant": "q8", "device": "wasm", "figures": {"latencyMs": {"value": 7}, "loadMs": {"value": 90}}}
    bench: dict[str, Any] = {"manifest": "of another build", "entries": {"small": {"rows": [row]}}}
    path = built / ".mbundle/bench.json"
    path.write_text(json.dumps({"version": 1, "benches": [bench]}))
    assert all(not one["bench"] for entry in reported(built)["entries"] for one in entry["variants"])
    del bench["manifest"]
    path.write_text(json.dumps({"version": 1, "benches": [bench]}))
    q8 = reported(built)["entries"][0]["variants"][0]
    assert q8["bench"] == {"latencyMs": 7, "loadMs": 90}
    assert [phase["end"] for phase in q8["benches"][0]["load"]] == [90]


def test_nothing_built_and_files_of_others(app: Path, built: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    nothing = run(tmp_path / "empty", "report")
    assert nothing.status == 2
    assert "MB197" in nothing.stderr
    assert "mbundle build" in nothing.stderr
    (built / "mine.html").write_text("<p>mine")
    refused = run(built, "report", "-o", "mine.html")
    assert refused.status == 1
    assert "MB198" in refused.stderr
    assert (built / "mine.html").read_text() == "<p>mine"
    run(built, "report", "-o", "ours.html").ok()
    run(built, "report", "-o", "ours.html").ok()


def test_a_graph_that_cannot_be_parsed_is_told(built: Path) -> None:
    graph = next((built / "dist/assets").glob("twin.*.onnx"))
    graph.write_bytes(b"\xff" * graph.stat().st_size)
    twin = reported(built)["entries"][1]["variants"][0]
    assert twin["tensors"] == []
    assert "protobuf" in twin["note"]


ROWS = st.lists(st.tuples(*[st.none() | st.integers(0, 5)] * 2), max_size=12)


@given(ROWS)
def test_the_front_is_what_nothing_beats(rows: list[tuple[int | None, int | None]]) -> None:
    found = front(rows)
    whole = [index for index, row in enumerate(rows) if None not in row]
    assert set(found) <= set(whole)
    assert bool(found) == bool(whole)
    best = sorted({rows[index] for index in found})  # type: ignore[type-var]
    assert all(a[0] < b[0] and a[1] > b[1] for a, b in pairwise(best))  # type: ignore[operator]
    for index in set(whole) - set(found):
        assert any(all(a <= b for a, b in zip(one, rows[index], strict=True)) for one in best)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("tensor", "node", "op", "path"),
    [
        ("onnx::MatMul_12", "/encoder/layer.0/query/MatMul", "MatMul", "encoder > layer.0 > query"),
        ("encoder.layer.0.query.bias", "Attention_0", "Attention", "encoder > layer.0 > query"),
        ("w_quantized", "/fc/MatMul_quant", "MatMulInteger", "fc"),
        ("w", "", "Conv", "Conv"),
        ("", "", "", "unnamed"),
    ],
)
def test_layers(tensor: str, node: str, op: str, path: str) -> None:
    assert " > ".join(layer_path(tensor, node, op)) == path


def test_the_vendored_charts_are_what_npm_gives() -> None:
    import subprocess

    command = ["node", "scripts/vendor_charts.mjs", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
