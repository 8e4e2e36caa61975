"""What `mbundle build` writes, in a browser: with a copy of onnxruntime-web a page needs nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import onnx
import pytest

from ..cli import run
from . import faults
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


@pytest.mark.parametrize("worker", [False, True])
def test_the_wasm_can_be_kept_with_the_models(worker: bool, tmp_path: Path, site: Site, visit: Any) -> None:
    build(tmp_path)
    site.pages["/"] = "<!doctype html>"
    page = visit()
    assert value(page, ONE, {"worker": worker, "keepOrt": True})["y"] == 6
    assert len(site.asked(r"\.wasm$")) == 1
    until(page, KEPT)
    page.close()
    site.fail(r"\.wasm$", faults.status(404))
    page = visit()
    assert value(page, ONE, {"worker": worker, "keepOrt": True})["y"] == 6
    assert len(site.asked(r"\.wasm$")) == 1
    assert value(page, "return (await caches.open('mbundle-1')).keys().then((all) => all.length)") >= 3


def test_a_wasm_that_cannot_be_kept_is_found_as_usual(tmp_path: Path, site: Site, visit: Any) -> None:
    build(tmp_path)
    site.pages["/"] = "<!doctype html>"
    site.fail(r"\.wasm$", faults.corrupt, times=2)
    assert value(visit(), ONE, {"keepOrt": True})["y"] == 6
    assert len(site.asked(r"\.wasm$")) == 3


KEPT = """async () => (await (await caches.open("mbundle-1")).matchAll())
  .some(({ headers }) => headers.get("content-length") > 10_000_000)"""
STORED = """async () => (await (await caches.open("mbundle-1")).keys())
  .filter(({ url }) => /[0-9a-f]{64}$/.test(url)).length >= 2"""  # graph and manifest; notes do not count


def test_an_idle_entry_is_fetched_by_itself(tmp_path: Path, site: Site, visit: Any) -> None:
    build(tmp_path, "")
    page = visit()
    value(page, "0")
    until(page, STORED)
    assert not site.asked("^/ort/")
    assert value(page, ONE)["downloaded"] == 0
