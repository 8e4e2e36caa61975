"""`mbundle bench` in a real Chromium: the figures are there, consistent, and of what they say they are of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundler.measure.browser import browsing
from bundler.measure.metrics import METRICS
from bundler.measure.tensor import Tensor

from ..cli import Ran, configure, run
from ..dist import assemble, outputs
from .conftest import apart
from .project import ROOT

pytestmark = [pytest.mark.browser]

ENTRY = (
    '"a": Entry(source="models/a.onnx", variants={{"q8": [quantize_dynamic()], "fp32": []}}, budget=Budget({budget}))'
)


@pytest.fixture
def project(app: Path) -> Path:
    (app / "node_modules").symlink_to(ROOT / "node_modules")
    configure(app, ENTRY.format(budget='latency="60 s", load="60 s @ fios"'))
    run(app, "build").ok()
    return app


def bench(project: Path, *arguments: str) -> Ran:
    return run(project, "bench", "--runs", "2", "--inferences", "3", "--warmup", "1", *arguments, timeout=400)


@pytest.mark.slow
def test_every_figure_of_variants_and_source_in_one_run(project: Path) -> None:
    found = bench(project, "--device", "wasm", "--json").ok().json
    rows = {(row["variant"], row["device"]): row["figures"] for row in found["entries"]["a"]["rows"]}
    assert set(rows) == {(one, device) for one in (None, "q8", "fp32") for device in ("wasm", "native")}
    for (variant, device), figures in rows.items():
        for key, figure in figures.items():
            assert figure["low"] <= figure["value"] <= figure["high"], key
            assert len(figure["samples"]) == 2
        if device == "wasm":
            assert set(figures) == set(METRICS)
            assert figures["firstMs"]["value"] > 0
            assert figures["memory"]["value"] > 10**6
            assert figures["warmBytes"]["value"] < figures["wireBytes"]["value"], variant
    manifest = json.loads((project / "dist/model-manifest.json").read_text())
    for one in manifest["entries"]["a"]["variants"]:
        assert rows[one["name"], "wasm"]["modelBytes"]["samples"] == [one["measured"]["bytes"]] * 2
    source = (project / "models/a.onnx").stat().st_size
    assert rows[None, "wasm"]["modelBytes"]["samples"] == [source] * 2
    assert json.loads((project / ".mbundle/bench.json").read_text())["benches"] == [found]


@pytest.mark.slow
def test_the_report_shows_every_request_of_a_first_visit(project: Path) -> None:
    bench(project, "--device", "wasm", "--variant", "q8", "--no-native", "--no-baseline", "--runs", "1", "--json").ok()
    data = run(project, "report", "--format", "json").ok().json
    q8 = next(one for one in data["entries"][0]["variants"] if one["name"] == "q8")
    load = q8["benches"][0]["load"]
    fetched = {row["name"]: row["bytes"] for row in load if row["kind"] == "fetch"}
    graph = next(file["file"] for file in data["files"] if file["kind"] == "graph" and file["users"] == ["a/q8"])
    assert fetched[graph] == (project / "dist/assets" / graph).stat().st_size
    assert [row["kind"] for row in load[-2:]] == ["session", "run"]
    assert all(0 <= row["start"] <= row["end"] for row in load)


@pytest.mark.slow
def test_a_second_bench_of_the_same_output_flips_no_verdict(project: Path) -> None:
    """The budgets are the figures of the first run themselves: nowhere is a flip as likely."""
    one = ("--device", "wasm", "--variant", "q8", "--no-native", "--no-baseline", "--json")
    figures = bench(project, *one).ok().json["entries"]["a"]["rows"][0]["figures"]
    limits = {"latency": "latencyMs", "first_inference": "firstMs", "load": "loadMs"}
    told = ", ".join(f'{name}="{figures[key]["value"]:.6f} ms"' for name, key in limits.items())
    configure(project, ENTRY.format(budget=told))
    before = verdicts(project)
    for _ in range(2):
        bench(project, *one).ok()
        assert verdicts(project) == before


def verdicts(project: Path) -> dict[str, bool]:
    result = run(project, "check", "--no-bench", "--format", "json").json
    return {row["name"]: row["state"] in ("over", "unknown") for row in result["verdicts"]}


@pytest.mark.slow
def test_check_measures_what_its_budgets_ask_for(project: Path) -> None:
    done = run(project, "check", "--format", "json", timeout=500).ok()
    assert {row["name"]: row["state"] for row in done.json["verdicts"]} == {"latency": "ok", "load": "ok"}
    benches = json.loads((project / ".mbundle/bench.json").read_text())["benches"]
    assert {one["key"]["network"] for one in benches} == {None, "fios"}
    load = {one["key"]["network"]: figure(one, "loadMs") for one in benches}
    assert load["fios"] > load[None]  # 14 MB of onnxruntime-web at 20 Mbit/s


def figure(bench: dict[str, Any], key: str) -> float:
    return float(bench["entries"]["a"]["rows"][0]["figures"][key]["value"])


def test_the_page_computes_what_native_onnxruntime_does(project: Path, tmp_path: Path) -> None:
    feeds = np.linspace(-1, 1, 64, dtype=np.float32)[None]

    def run_it() -> tuple[str, dict[str, Tensor]]:
        with browsing(str(project / "dist"), root=str(project)) as browser:
            name = browser.manifest.entries["a"].variants[0].inputs[0].name
            sample = {name: Tensor("float32", feeds.shape, feeds.tobytes())}
            [found], _ = browser.run("a", [sample], variant="fp32")
        return name, found

    name, found = apart(run_it)
    native = outputs(assemble(project / "dist", tmp_path / "native", "a", "fp32"), {name: feeds})
    assert found.keys() == native.keys()
    for key, tensor in found.items():
        got = np.frombuffer(tensor.data, tensor.dtype).reshape(tensor.dims)
        np.testing.assert_allclose(got, native[key], atol=1e-4)


def test_what_cannot_be_measured_is_named(project: Path) -> None:
    for arguments, code in (
        (("nope",), "MB514"),
        (("--variant", "nope"), "MB514"),
        (("--chromium", "/no/such/chromium", "--no-native"), "MB511"),
    ):
        done = run(project, "bench", "--runs", "1", *arguments)
        assert done.status == 2, done.stderr
        assert f"error[{code}]" in done.stderr
        assert "Traceback" not in done.stderr


def test_without_a_browser_there_is_the_quick_look(project: Path) -> None:
    done = bench(project, "--browser", "none").ok()
    assert "native onnxruntime" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80, done.stdout
