"""Decoders of GroupQueryAttention on a GPU: one cache for all steps and texts, and the same tokens as without."""

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

CONFIG = """from bundler import Entry, define_config
from bundler.loaders import kv_cache

config = define_config(entries={"writer": Entry(source="model.onnx", variants={"half": [kv_cache()], "full": []})})
"""
COUNTING = """() => {
  window.storage = [];
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  window.gone = new Set();
  GPUDevice.prototype.createBuffer = function (wish) {
    const made = createBuffer.call(this, wish);
    if (wish.usage & GPUBufferUsage.STORAGE) storage.push(made);
    return made;
  };
  GPUBuffer.prototype.destroy = function () { gone.add(this); return destroy.call(this); };
}"""
WRITE = """
  const ort = await import("onnxruntime-web/webgpu");
  const old = { create: async (...given) => {
    const session = await ort.InferenceSession.create(...given);
    return { release: () => session.release(), run: async (feeds, wish) => {
      if (wish && !Array.isArray(wish)) throw new Error("no outputs of mine");
      return session.run(feeds, wish);
    } };
  } };
  const how = { ours: ort, old: { ...ort, InferenceSession: old } }[arg.how];
  const model = await m.load("writer", { device: "webgpu", variant: arg.variant, ort: how });
  const texts = [], made = [], held = [];
  const ours = () => storage.filter((it) => it.usage === 0x8c && it.size % arg.unit === 0 && !gone.has(it));
  for (const options of arg.texts) {
    const steps = [storage.length];
    const onToken = () => { steps.push(storage.length); };
    texts.push((await model.generate({ ...options, eos_token_id: [], onToken })).tokens);
    made.push(steps.slice(1).map((count, index) => count - steps[index]));
    held.push(ours().map(({ size }) => size / arg.unit));
  }
  await model.dispose();
  return { device: model.info.device, skipped: model.info.skipped, texts, made, held, left: ours().length };
"""
UNIT = SHAPE.groups * SHAPE.head * 4
"""Bytes of a token in one buffer."""
BUFFERS = 2 * SHAPE.layers


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writer")
    weights = grouped.weights_of(str(decoder.folder() / "model.onnx"))
    onnx.save(grouped.grouped(SHAPE, weights), folder / "model.onnx")
    (folder / "model.config.py").write_text(CONFIG)
    run(folder, "build").ok()
    return folder


@pytest.fixture
def page(project: Path, driver: Playwright) -> Iterator[Page]:
    """A fresh one each: what a test counts is its own."""
    with gpu_page(driver, {"/dist/": project / "dist", "/ort/": ORT}) as page:
        page.evaluate(COUNTING)
        yield page


def held_out(length: int, skip: int = 1) -> list[int]:
    tokens: list[int] = np.load(decoder.folder() / "held-out.npy")[skip : skip + length].tolist()
    return tokens


def written(page: Page, how: str, texts: list[tuple[list[int], int]], variant: str = "full") -> dict[str, Any]:
    wish = [{"input_ids": prompt, "max_new_tokens": count} for prompt, count in texts]
    found: dict[str, Any] = value(page, WRITE, {"how": how, "variant": variant, "texts": wish, "unit": UNIT})
    assert found["device"] == "webgpu", found["skipped"]
    return found


def natively(texts: list[tuple[list[int], int]]) -> list[list[int]]:
    """By the graph whose caches are concatenated."""
    native = Native(str(decoder.folder() / "model.onnx"))
    return [native.greedy(prompt, count, end=-1) for prompt, count in texts]


def test_what_may_share_is_told(project: Path) -> None:
    half, full = dist.check(project / "dist")["entries"]["writer"]["variants"]
    assert full["generation"]["inPlace"] is True
    assert "inPlace" not in half["generation"]  # kv_cache casts what it reads


def test_one_cache_for_all_steps_and_texts(page: Page) -> None:
    """Where onnxruntime-web refuses buffers, each step has a new cache, and the same tokens come out."""
    texts = [(held_out(12), 10), (held_out(8, 50), 5), (held_out(12), 4)]
    longer = (held_out(1020, 2001), 6)  # where no two tokens are about as likely; outgrows what it is given at first
    found, refused = written(page, "ours", [*texts, longer]), written(page, "old", texts[:1])
    assert found["texts"] == natively([*texts, longer])
    assert refused["texts"] == found["texts"][:1]
    first, *others = found["made"][:3]
    assert first[0] >= BUFFERS
    assert set(first[2:]) == {0}
    assert [sum(steps[2:]) for steps in others] == [0, 0]
    assert sum(refused["made"][0][2:]) > 0
    assert found["held"] == [[22] * BUFFERS] * 3 + [[1026] * BUFFERS]
    assert (found["left"], refused["left"]) == (0, 0)
