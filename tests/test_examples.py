"""The workflow on the examples: the full model, a build, a check that fails, a mended recipe, a check that passes.

The checks here are native; `tests/web/test_golden.py` has the browser's.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest

from bundler.cli import VERBS
from bundler.measure.goldenfile import accuracy
from fixtures import minilm, real_models

from . import dist
from .cli import ROOT, run
from .web import icons

pytestmark = pytest.mark.models


def example(name: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the example `name` whose page brings its own onnxruntime-web, with its config changed."""
    shutil.copytree(ROOT / "examples" / name, folder, ignore=shutil.ignore_patterns("dist", "golden", ".mbundle"))
    edit(folder, *changes)
    return folder


def edit(folder: Path, *changes: tuple[str, str]) -> None:
    config = folder / "model.config.py"
    text = config.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    config.write_text(text)


def checked(folder: Path, *more: str) -> tuple[int, Any]:
    done = run(folder, "golden", "check", "--browser", "none", "--json", *more, timeout=1200)
    return done.status, done.json


def verdicts(folder: Path, status: int = 4) -> dict[str, str]:
    """Budget -> what `mbundle check` says of it."""
    done = run(folder, "check", "--format", "json")
    assert done.status == status, done.stdout + done.stderr
    return {row.get("metric") or row["name"]: row["state"] for row in done.json["verdicts"]}


def baseline(folder: Path, entry: str) -> None:
    """The first step of the workflow: the source beside what ships, as cheap as it gets, and without a browser."""
    cheap = ("--runs", "1", "--inferences", "1", "--warmup", "0", "--browser", "none", "--json")
    rows = run(folder, "bench", entry, *cheap, timeout=600).ok().json["entries"][entry]["rows"]
    assert {None} < {row["variant"] for row in rows if row["figures"]["latencyMs"]["value"] > 0}
    assert all("error" not in row for row in rows)
    run(folder, "check", "--no-bench", "--update")
    assert (folder / "mbundle-baseline.json").is_file()


def native(told: Any, entry: str, variant: str) -> Any:
    return told["entries"][entry]["variants"][variant]["providers"]["native"]


APP = (', ort="self"', "")
RUINED = """def ruined(model, context):
    import onnx_ir as ir

    edited = model.to_ir()
    value = edited.graph.outputs[0]
    made = ir.node("Neg", [value])
    made.outputs[0].name, made.outputs[0].shape, made.outputs[0].type = value.name, value.shape, value.type
    value.name = "before"
    edited.graph.append(made)
    edited.graph.outputs[0] = made.outputs[0]
    return model.with_ir(edited, context.scratch)
"""


def test_filetype_from_the_full_model_to_a_check_that_passes(tmp_path: Path) -> None:
    pytest.importorskip("magika")
    step = ("[quantize_dynamic()]", "[quantize_dynamic(), ruined]")
    bar = (', metric="labels", at_least=0.9)', ', metric="labels"), max_error=1e9')
    ruin = ("config = define_config(", f"{RUINED}\n\nconfig = define_config(")
    project = example("filetype", tmp_path / "app", APP, step, ruin, bar)
    run(project, "golden", "record").ok()
    run(project, "build").ok()
    baseline(project, "filetype")
    edit(project, (bar[1], bar[0]))  # built before there was a bar: a build with one rolls the step back
    status, told = checked(project)
    assert status == 1
    assert [problem["code"] for problem in told["problems"]] == ["MB524"]
    assert native(told, "filetype", "q8")["value"] < 0.5 < native(told, "filetype", "fp32")["value"]

    assert verdicts(project)["accuracy"] == "over"

    edit(project, (step[1], step[0]))
    run(project, "build").ok()
    assert verdicts(project)["accuracy"] == "unknown"  # what was measured was another model
    status, told = checked(project)
    assert (status, told["problems"]) == (0, [])
    assert set(verdicts(project, 0).values()) == {"ok"}
    assert native(told, "filetype", "q8")["value"] == native(told, "filetype", "fp32")["value"] == 1
    sizes = {one["name"]: one["measured"]["bytes"] for one in dist.variants(dist.manifest(project / "dist"))}
    assert sizes["q8"] < 900_000 < 3_000_000 < sizes["fp32"]
    assert accuracy(str(project))["filetype"]["q8"]["value"] == 1
    assert run(project, "why", "MatMulInteger", "--json").ok().json["broughtBy"] == ["quantize_dynamic"]
    if "report" in VERBS:
        run(project, "report").ok()


@pytest.mark.slow
def test_ocr_reads_the_same_tokens_with_8_bit_weights_and_not_with_the_stock_recipe(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    bar = ('metric="tokens", at_least=0.97', 'metric="tokens"')
    source = ("package:rapidocr-onnxruntime/rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", "rec.onnx")
    stock = ('"fp32": [],', '"q8": [quantize_dynamic()],\n                "fp32": [],')
    names = ("import quantize_weights", "import quantize_dynamic, quantize_weights")
    project = example("ocr", tmp_path / "app", APP, source, stock, names)
    (project / "rec.onnx").symlink_to(real_models.path("ppocr-rec"))
    run(project, "golden", "record").ok()
    stats = run(project, "build", "--json", timeout=600).ok().json
    w8, q8, fp32 = stats["entries"][0]["variants"]
    assert (q8["steps"][-1]["status"], q8["bytes"]) == ("rolled back", fp32["bytes"])
    assert q8["steps"][-1]["metric"] < 0.9
    baseline(project, "ocr")
    assert w8["bytes"] < 4_000_000 < 2 * w8["bytes"] < fp32["bytes"]
    status, told = checked(project)
    assert status == 0
    assert native(told, "ocr", "w8")["value"] >= 0.97
    assert told["entries"]["ocr"]["samples"] == 5

    edit(project, ('"w8": [quantize_weights()],', ""), bar)  # the stock recipe alone, and nothing that rolls it back
    run(project, "build", timeout=600).ok()
    assert verdicts(project)["accuracy"] == "unknown"
    assert native(checked(project)[1], "ocr", "q8")["value"] < 0.9
    assert verdicts(project) == {"size": "ok", "accuracy": "over"}

    edit(project, ("quantize_dynamic()", "quantize_weights()"), (bar[1], bar[0]))
    run(project, "build", timeout=600).ok()
    assert checked(project)[0] == 0
    assert verdicts(project, 0) == {"size": "ok", "accuracy": "ok"}


@pytest.mark.slow
def test_icons_the_stock_recipe_fails_where_8_bit_weights_pass(tmp_path: Path) -> None:
    """At almost the same size: 23 MB."""
    pytest.importorskip("tokenizers")
    minilm.golden()
    stock = ('"w8": [', '"q8": [quantize_dynamic()],\n                "w8": [')
    names = ("import fuse, quantize_weights", "import fuse, quantize_dynamic, quantize_weights")
    bar = ("{top10_overlap: 0.95,", "{top10_overlap: None,")
    project = example("icon-search", tmp_path / "app")
    config = project / "model.config.py"
    config.write_text(icons.without("small", icons.told(config.read_text())))
    edit(project, stock, names, (f"metrics={bar[0]}", f"metrics={bar[1]}"))
    run(project, "build", timeout=1800).ok()
    run(project, "golden", "record", timeout=1200).ok()
    baseline(project, "icons")
    edit(project, (bar[1], bar[0]))
    status, told = checked(project)
    assert status == 1
    assert [problem["what"].split(":")[0] for problem in told["problems"]] == ["icons/q8 on native"]
    q8, w8 = (native(told, "icons", name)["value"] for name in ("q8", "w8"))
    assert q8 < 0.85 < 0.95 <= w8
    sizes = {one["name"]: one["measured"]["bytes"] for one in dist.variants(dist.manifest(project / "mbundle-output"))}
    assert abs(sizes["q8"] - sizes["w8"]) < 0.04 * sizes["q8"]

    assert verdicts(project) == {"size": "ok", "first_load": "ok", "accuracy": "over", "hit_rate": "ok"}

    edit(project, (stock[1], stock[0]))
    run(project, "build", timeout=1800).ok()
    assert checked(project)[0] == 0
    assert verdicts(project, 0) == {"size": "ok", "first_load": "ok", "accuracy": "ok", "hit_rate": "ok"}


def test_the_recipe_that_was_found_for_icons_names_weights_of_the_checkpoint() -> None:
    """Exports have the same names (tests/web/test_export_torch.py); what it comes to is judged by each build."""
    weights = {one.name for one in onnx.load(minilm.model()).graph.initializer}
    text = (ROOT / "examples/icon-search/model.config.py").read_text()
    named = re.findall(r'"((?:embeddings|encoder)\.[\w.]+)"', text)
    assert len(named) == len(set(named)) == 38
    assert set(named) <= weights
