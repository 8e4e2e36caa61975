"""What `mbundle build` writes, in a browser: with a copy of onnxruntime-web a page needs nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import onnx
import pytest

from ..cli import run
from .conftest import ROOT, until, value
from .server import Site
from .test_choice import ONE, scale

pytestmark = pytest.mark.browser

CONFIG = """
from bundler import Entry, Output, define_config
config = define_config(entries={"it": Entry(source="it.onnx", load="idle")}, output=Output(dir="dist"PLUS))
"""


def build(folder: Path, plus: str = ', ort="self"') -> None:
    (folder / "model.config.py").write_text(CONFIG.replace("PLUS", plus))
    onnx.save(scale(3), folder / "it.onnx")
    if not (folder / "node_modules").exists():
        os.symlink(ROOT / "node_modules", folder / "node_modules")
    run(folder, "build").ok()


@pytest.mark.parametrize("plus", [', ort="self"', ', ort="self", base="/dist/"'])
def test_a_page_without_import_map_finds_the_copy(plus: str, tmp_path: Path, site: Site, visit: Any) -> None:
    build(tmp_path, plus)
    site.pages["/"] = "<!doctype html>"
    page = visit()
    for options in ({}, {"worker": True}):
        got = value(page, ONE, options)
        assert (got["y"], got["worker"]) == (6, bool(options))
    assert not site.asked("^/ort/")
    assert list((tmp_path / "dist" / "assets").glob("license-*.txt"))


STORED = """async () => (await (await caches.open("mbundle-1")).keys())
  .filter(({ url }) => /[0-9a-f]{64}$/.test(url)).length >= 2"""  # graph and manifest; notes do not count


def test_an_idle_entry_is_fetched_by_itself(tmp_path: Path, site: Site, visit: Any) -> None:
    build(tmp_path, "")
    page = visit()
    value(page, "0")
    until(page, STORED)
    assert not site.asked("^/ort/")
    assert value(page, ONE)["downloaded"] == 0
