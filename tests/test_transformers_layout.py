"""`Output(layout="transformers.js")`: names, what is left out, and that it comes and goes whole as all output does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures import models

from . import dist
from .cli import configure, run

LAYOUT = 'output=Output(dir="dist", layout="transformers.js", keep=1)'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    models.save(models.mlp(width=256, layers=3), tmp_path / "a.onnx")
    (tmp_path / "config.json").write_text('{"model_type": "bert", "transformers.js_config": {"device": "wasm"}}')
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


def entry(variants: str, assets: str = '["config.json", "tokenizer.json"]') -> str:
    return f'"a": Entry(source="a.onnx", variants={{{variants}}}, assets={assets})'


def laid_out(project: Path) -> Path:
    (folder,) = (project / "dist").glob("transformers-*")
    assert folder.name in (project / "dist/transformers/a.js").read_text()
    return folder


def test_a_folder_that_computes_what_the_build_does(project: Path) -> None:
    configure(project, entry('"q8": [quantize_dynamic()], "whole": []'), LAYOUT)
    run(project, "build").ok()
    folder = laid_out(project)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == [
        "config.json",
        "onnx/model.onnx",
        "onnx/model.onnx_data",
        "onnx/model_quantized.onnx",
        "onnx/model_quantized.onnx_data",
        "tokenizer.json",
    ]
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "bert"
    assert config["transformers.js_config"] == {
        "device": "wasm",
        "dtype": "q8",
        "use_external_data_format": {"model.onnx": 1, "model_quantized.onnx": 1},
    }
    dist.agree(project / "a.onnx", folder / "onnx/model.onnx", {"x": models.noise(3, 2, 256)})


def test_a_change_gives_another_folder_and_the_old_one_goes(project: Path) -> None:
    configure(project, entry('"fp32": []'), LAYOUT)
    run(project, "build").ok()
    before = laid_out(project)
    assert run(project, "build", "--json").ok().json["fresh"]
    (project / "tokenizer.json").write_text('{"changed": true}')
    run(project, "build").ok()
    after = laid_out(project)
    assert before.name != after.name
    assert not before.exists()
    configure(project, entry('"fp32": []'), LAYOUT.replace("transformers.js", "mbundle"))
    run(project, "build").ok()
    assert list((project / "dist").glob("transformers*")) == []


def test_what_has_no_place_is_told(project: Path) -> None:
    configure(project, entry('"fp32": [], "also": []'), LAYOUT)
    ran = run(project, "build").ok()
    assert "MB417" in ran.stderr
    assert "a/also is left out" in ran.stderr
    configure(project, entry('"fp32": []', "[]"), LAYOUT)
    assert "MB416" in run(project, "build").ok().stderr
    (project / "config.json").write_text("[]")
    configure(project, entry('"fp32": []'), LAYOUT)
    run(project, "build").failed("MB412", "config.json")
