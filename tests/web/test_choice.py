"""Which variant a browser gets: what it can do, what it has tried, and what it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from playwright.sync_api import Page, Playwright

from . import dist
from .conftest import ARGS, outcome, until, value
from .gpu import GPU
from .server import Site
from .stored import settle

pytestmark = pytest.mark.browser


def scale(factor: float, *, op: str = "Mul", half: bool = False) -> onnx.ModelProto:
    """y = x * factor, with 4 KiB of weights; `half`: in float16 between two casts."""
    weight = numpy_helper.from_array(np.full((1024,), factor, np.float16 if half else np.float32), "w")
    nodes = [helper.make_node(op, ["h" if half else "x", "w"], ["z" if half else "y"])]
    if half:
        before = helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16)
        nodes = [before, *nodes, helper.make_node("Cast", ["z"], ["y"], to=TensorProto.FLOAT)]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1024]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def unknown_op() -> onnx.ModelProto:
    model = scale(1)
    model.graph.node[0].op_type = "NoSuchOperator"
    return model


ONE = "const it = await m.load('it', arg ?? {}); const { y } = await it.run({ x: new Float32Array(1024).fill(2) }); "
ONE += "return { ...it.info, y: y.data[5] };"


REMEMBERED = "async () => (await (await caches.open('mbundle-1')).keys()).some(({ url }) => url.includes('choice-'))"


def test_what_cannot_be_opened_is_passed_over_and_told(visit: Any, tmp_path: Path) -> None:
    dist.build(tmp_path / "dist", {"it": {"odd": unknown_op(), "fp32": scale(3)}})
    got = value(visit(), ONE)
    assert (got["variant"], got["device"], got["y"]) == ("fp32", "wasm", 6)
    assert "NoSuchOperator" in got["skipped"][0]


def test_a_variant_that_answers_nan_is_passed_over_once_and_remembered(visit: Any, tmp_path: Path, site: Site) -> None:
    manifest = dist.build(tmp_path / "dist", {"it": {"nan": scale(float("nan")), "fp32": scale(3)}})
    page = visit()
    first = value(page, ONE)
    assert (first["variant"], first["y"]) == ("fp32", 6)
    assert first["skipped"] == ["nan on wasm fails at a trial run: y is NaN"]
    until(page, REMEMBERED)
    fp32 = manifest["entries"]["it"]["variants"][1]
    settle(page, [file["sha256"] for file in (fp32["graph"], *fp32["data"][0]["chunks"])])
    page.close()
    seen = len(site.requests)
    again = visit()
    second = value(again, ONE)
    assert (second["variant"], second["skipped"], second["downloaded"]) == ("fp32", first["skipped"], 0)
    asked = [request.path for request in site.requests[seen:]]
    assert not any(
        "smoke" in path or manifest["entries"]["it"]["variants"][0]["graph"]["file"] in path for path in asked
    )


def test_an_unreadable_memory_is_ignored(visit: Any, tmp_path: Path) -> None:
    dist.build(tmp_path / "dist", {"it": {"fp32": scale(3)}})
    page = visit()
    value(page, ONE)
    until(page, REMEMBERED)
    page.evaluate(
        """async () => {
          const cache = await caches.open("mbundle-1");
          const text = `${navigator.userAgent}\\nwasm toString\\nx`;
          const keys = (await cache.keys()).filter(({ url }) => url.includes("choice-"));
          for (const key of keys) await cache.put(key, new Response(text));
        }"""
    )
    page.close()
    got = value(visit(), ONE)
    assert (got["variant"], got["skipped"]) == ("fp32", [])


def test_when_all_fail_the_last_reason_is_told(visit: Any, tmp_path: Path) -> None:
    dist.build(tmp_path / "dist", {"it": {"a": unknown_op(), "b": unknown_op()}})
    error = outcome(visit(), ONE)["error"]
    assert error["code"] == "session"
    assert "NoSuchOperator" in error["message"]


@pytest.fixture
def gpu_page(driver: Playwright, site: Site) -> Iterator[Page]:
    args = [*(arg for arg in ARGS if arg != "--disable-gpu"), *GPU]
    browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=args)
    page = browser.new_page()
    page.goto(site.origin + "/")
    if not page.evaluate("Boolean(navigator.gpu) && navigator.gpu.requestAdapter().then(Boolean)"):
        pytest.skip("no WebGPU here")
    yield page
    browser.close()


def test_on_a_gpu(gpu_page: Page, tmp_path: Path) -> None:
    manifest = dist.build(tmp_path / "dist", {"it": {"fp16": scale(3, half=True), "fp32": scale(3)}})
    assert not manifest["entries"]["it"]["variants"][0]["requires"]["shaderF16"]  # so only trying can tell
    plain = value(gpu_page, ONE)
    assert plain["device"] == "wasm"  # an emulated GPU is not chosen by itself
    got = value(gpu_page, ONE, {"device": "webgpu"})
    assert (got["y"], got["variant"], got["device"]) == (6, "fp32", "webgpu"), got
    assert got["skipped"][0].startswith("fp16 on webgpu fails at a trial run: ")
    assert "f16" in got["skipped"][0]
