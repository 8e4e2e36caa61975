"""kv_cache(None, webgpu_bits=...): a session on WebGPU is asked to keep the cache in few bits, and no other one is.

onnxruntime-web 1.30 does not hand the wish to its backend, which can: beside it a copy is run that does, by one word.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from playwright.sync_api import Page, Playwright

from fixtures import decoder
from fixtures.decoder import grouped
from fixtures.decoder.native import Native
from fixtures.decoder.shape import SHAPE

from .. import dist
from ..cli import run
from .conftest import ORT, value
from .gpu import gpu_page

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.slow]

BUNDLE = "ort.webgpu.bundle.min.mjs"
CONFIG = """from bundler import Entry, define_config
from bundler.loaders import kv_cache

config = define_config(entries={"writer": Entry(source="model.onnx", variants={
    "eight": [kv_cache(None, webgpu_bits=8)], "four": [kv_cache(None, webgpu_bits=4)],
})})
"""
WRITE = """
  const ort = await import(arg.bundle);
  ort.env.wasm.wasmPaths = "/ort/";
  const asked = [], widths = [];
  const model = await m.load("writer", { device: arg.device, variant: arg.variant, ort: { ...ort, InferenceSession: {
    create: async (graph, options) => {
      asked.push(options.executionProviders[0]);
      const session = await ort.InferenceSession.create(graph, options);
      return { release: () => session.release(), run: async (feeds, outputs) => {
        if (feeds.input_ids) widths.push(feeds["past_key_values.0.key"].dims.slice(2).join());
        return session.run(feeds, outputs);
      } };
    } } } });
  widths.length = 0;
  const { tokens } = await model.generate({ input_ids: arg.prompt, max_new_tokens: 4, eos_token_id: [] });
  await model.dispose();
  return { tokens, widths, asked: asked.at(-1), device: model.info.device, skipped: model.info.skipped };
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writer")
    onnx.save(grouped.grouped(SHAPE, grouped.weights_of(str(decoder.folder() / "model.onnx"))), folder / "model.onnx")
    (folder / "model.config.py").write_text(CONFIG)
    run(folder, "build").ok()
    (folder / "patched").mkdir()
    forwarding = (ORT / BUNDLE).read_text().replace('"preferredLayout"', '"kvCacheQuantizationBits"')
    (folder / "patched" / BUNDLE).write_text(forwarding.replace(".preferredLayout", ".kvCacheQuantizationBits"))
    return folder


@pytest.fixture
def page(project: Path, driver: Playwright) -> Iterator[Page]:
    with gpu_page(driver, {"/dist/": project / "dist", "/ort/": ORT, "/patched/": project / "patched"}) as page:
        yield page


def test_the_manifest_says_it(project: Path) -> None:
    eight, four = dist.check(project / "dist")["entries"]["writer"]["variants"]
    assert [one["generation"]["webgpuBits"] for one in (eight, four)] == [8, 4]
    assert [one["generation"]["headDim"] for one in (eight, four)] == [SHAPE.head] * 2
    assert eight["inputs"][2]["shape"][3] == "kv_cache_in_8_bits"


def test_only_a_session_on_webgpu_is_asked(project: Path, page: Page) -> None:
    prompt = np.load(decoder.folder() / "held-out.npy")[1:13].tolist()
    native = Native(str(decoder.folder() / "model.onnx")).greedy(prompt, 4, end=-1)

    def written(variant: str, device: str, folder: str) -> dict[str, Any]:
        wish = {"variant": variant, "device": device, "bundle": f"/{folder}/{BUNDLE}", "prompt": prompt}
        found: dict[str, Any] = value(page, WRITE, wish)
        assert found["device"] == device, found["skipped"]
        return found

    wasm, ours, forwarding = (
        written("eight", *where) for where in (("wasm", "ort"), ("webgpu", "ort"), ("webgpu", "patched"))
    )
    assert wasm["asked"] == "wasm"
    assert ours["asked"] == forwarding["asked"] == {"name": "webgpu", "kvCacheQuantizationBits": "8"}
    assert wasm["tokens"] == ours["tokens"] == native
    assert wasm["widths"] == ["0,32", "12,32", "13,32", "14,32"]
    assert set(ours["widths"]) == {"16,32"}  # one room for the whole text
    assert set(forwarding["widths"]) == {"16,9"}  # a scale, and four values in each of eight elements
    assert forwarding["tokens"] == native
    four = written("four", "webgpu", "patched")
    assert (four["asked"]["kvCacheQuantizationBits"], set(four["widths"])) == ("4", {"16,5"})
