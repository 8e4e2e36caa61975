"""A KV cache in 8 and in 4 bits inside GroupQueryAttention: built, checked, and written with in a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from playwright.sync_api import Page

from bundler.emit.manifest import read_manifest
from bundler.measure.assemble import assemble
from fixtures import decoder
from fixtures.decoder import grouped
from fixtures.decoder.native import Native
from fixtures.decoder.shape import SHAPE

from .. import dist
from ..cli import ROOT, run
from .conftest import value

pytestmark = [pytest.mark.browser, pytest.mark.models]

CONFIG = """from bundler import Entry, define_config
from bundler.loaders import kv_cache

config = define_config(entries={"writer": Entry(source="model.onnx", variants={
    "int8": [kv_cache("int8")], "int4": [kv_cache("int4")], "full": [],
})})
"""
BYTES = {"int8": 2 * 3 * 2 * 32, "int4": 2 * 3 * 2 * 16, "full": 2 * 3 * 2 * 32 * 4}
"""Of a token: keys and values of three layers, two heads, 32 values."""
WRITE = """
  const model = await m.load("writer", { variant: arg.variant });
  const texts = [];
  for (const input_ids of arg.prompts)
    texts.push((await model.generate({ input_ids, max_new_tokens: 16, eos_token_id: [] })).tokens);
  const { bytesPerToken, dtype } = model.generation;
  return { texts, bytesPerToken, dtype };
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    weights = grouped.weights_of(str(decoder.folder() / "model.onnx"))
    onnx.save(grouped.grouped(SHAPE, weights), tmp_path / "model.onnx")
    (tmp_path / "model.config.py").write_text(CONFIG)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    return tmp_path


def test_a_page_writes_what_native_onnxruntime_writes(project: Path, visit: Callable[..., Page]) -> None:
    built = run(project, "build").ok()
    assert "KV cache: 192 B a token" in built.stderr
    held = np.load(decoder.folder() / "held-out.npy").tolist()
    prompts = [held[start : start + 12] for start in (1, 501, 1001)]
    variants = {one.name: one for one in read_manifest(str(project / "dist")).entries["writer"].variants}
    page = visit()
    for name, dtype in (("int8", "int8"), ("int4", "uint8"), ("full", "float32")):
        native = Native(assemble(str(project / "dist"), variants[name], str(project / name)))
        found: dict[str, Any] = value(page, WRITE, {"variant": name, "prompts": prompts})
        assert found["texts"] == [native.greedy(prompt, 16, end=-1) for prompt in prompts]
        assert (found["bytesPerToken"], found["dtype"]) == (BYTES[name], dtype)
    manifest = dist.check(project / "dist")["entries"]["writer"]["variants"]
    assert [one.get("providers") for one in manifest] == [["wasm"], ["wasm"], None]

    run(project, "golden", "record").ok()
    checked = run(project, "golden", "check", "--json").ok().json["entries"]["writer"]["variants"]
    for name, least in (("int8", 0.9995), ("int4", 0.98), ("full", 0.999999)):
        places = checked[name]["providers"]
        assert places["native"]["cosine"] >= least
        assert places["wasm"]["native"]["cosine"] > 0.99999
        assert places.get("webgpu", {}).get("status") in (None, "ok" if name == "full" else "skipped")
