"""Chromium takes the twins that a host serves for the files: fewer bytes, the same outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fixtures.real_models import path
from tests.cli import run

from . import real
from .server import Handler, Site

CONFIG = """
from bundler import Entry, Output, define_config
from bundler.loaders import simplify
config = define_config(
    entries={"it": Entry(source="model.onnx", use=[simplify()])}, output=Output(compress=["br", "zstd"])
)
"""


@pytest.mark.browser
@pytest.mark.models
@pytest.mark.parametrize(("encoding", "suffix"), [("br", ".br"), ("zstd", ".zst")])
def test_twins_are_decoded_by_the_browser(encoding: str, suffix: str, tmp_path: Path, site: Site, visit: Any) -> None:
    (tmp_path / "model.onnx").symlink_to(path("magika"))
    (tmp_path / "model.config.py").write_text(CONFIG)
    run(tmp_path, "build").ok()
    served = []

    def twin(handler: Handler, content: bytes) -> None:
        file = tmp_path / handler.path.lstrip("/")
        compressed = file.with_name(file.name + suffix)
        accepted = re.split(r",\s*", handler.headers.get("Accept-Encoding", ""))
        if encoding not in accepted or not compressed.exists():
            return handler.serve(content)
        served.append(file.name)
        return handler.answer(200, compressed.read_bytes(), {"Content-Encoding": encoding, "Vary": "Accept-Encoding"})

    site.fail(r"^/dist/assets/.*\.(bin|onnx)$", twin)
    real.assert_native(visit(), "magika", entry="it")
    assert [name for name in served if name.endswith(".onnx")]
    assert [name for name in served if name.endswith(".bin")]
