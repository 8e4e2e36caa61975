"""Weights of more than 192 MiB: handed over piece by piece, whatever else the page has done to typed arrays, and stored
from onnxruntime's heap where the network is faster than the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from fixtures.models import mlp

from . import dist
from .conftest import until, value
from .stored import FILES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MIB = 1 << 20
WIDTH = 5120
RUN = """
  const before = Object.getOwnPropertyDescriptor(Uint8Array.prototype, "set");
  const model = await m.load("large", { ort: %s });
  const data = Float32Array.from({ length: arg }, (_, at) => Math.sin(at));
  const { y } = await model.run({ x: { data, dims: [1, arg] } });
  const after = Object.getOwnPropertyDescriptor(Uint8Array.prototype, "set");
  const same = Object.keys({ ...before, ...after }).every((key) => before?.[key] === after?.[key]);
  await model.dispose();
  return { y: Array.from(y.data), same, downloaded: model.info.downloaded, ...told };
"""
SPY = """
  const ort = await import("/ort/ort.wasm.bundle.min.mjs");
  const create = ort.InferenceSession.create;
  const kinds = Object.getPrototypeOf(Uint8Array.prototype);
  const { set } = kinds;
  const told = { longest: 0 };
  const spy = { ...ort, InferenceSession: { create: async (graph, options) => {
    kinds.set = function (source, at) {
      if (this.buffer !== source?.buffer) told.longest = Math.max(told.longest, source?.byteLength ?? 0);
      return set.call(this, source, at);
    };
    try { return await create.call(ort.InferenceSession, graph, options); } finally { kinds.set = set; }
  } } };
"""
FAST = """
  const { now } = performance;
  performance.now = () => now.call(performance) / 10; // all that comes comes fast
"""
LOOK = f"""
  const ort = await import("/ort/ort.wasm.bundle.min.mjs");
  const told = {{}};
  const spy = {{ ...ort, InferenceSession: {{ create: async (...all) => {{
    told.before = (await ({FILES})()).length;
    return ort.InferenceSession.create(...all);
  }} }} }};
"""
SCRIBBLE = """
  const ort = await import("/ort/ort.wasm.bundle.min.mjs");
  const kinds = Object.getPrototypeOf(Uint8Array.prototype);
  const { set } = kinds;
  const told = {};
  const spy = { ...ort, InferenceSession: { create: async (...all) => {
    let byte;
    kinds.set = function (source, at) {
      const heap = this.buffer[Symbol.toStringTag] === "SharedArrayBuffer";
      if (heap && source.byteLength > 4 << 20) byte ??= new Uint8Array(this.buffer, at + (1 << 20), 1);
      return set.call(this, source, at);
    };
    try { return await ort.InferenceSession.create(...all); } finally { kinds.set = set; if (byte) byte[0] ^= 1; }
  } } };
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """An output folder with two weights of 100 MiB each, and what the model gives natively."""
    folder = tmp_path_factory.mktemp("large")
    model = mlp(width=WIDTH)
    dist.build(folder, {"large": {"fp32": model}}, max_size=8 * MIB)
    x = np.sin(np.arange(WIDTH, dtype=np.float64)).astype(np.float32)[None]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return folder, session.run(None, {"x": x})[0].ravel().tolist()


@pytest.fixture
def page(built: tuple[Path, list[float]], site: Any, visit: Any) -> Any:
    site.mounts["/dist/"] = built[0]
    return visit()


def test_no_weight_is_there_twice(page: Any, built: tuple[Path, list[float]]) -> None:
    got = value(page, SPY + RUN % "spy", WIDTH)
    np.testing.assert_allclose(got["y"], built[1], rtol=1e-4, atol=1e-4)
    assert got["same"]
    assert 4 * MIB < got["longest"] <= 8 * MIB


def test_where_typed_arrays_are_frozen_whole_buffers_do(page: Any, built: tuple[Path, list[float]]) -> None:
    got = value(page, "Object.freeze(Uint8Array.prototype); const told = {};" + RUN % "undefined", WIDTH)
    np.testing.assert_allclose(got["y"], built[1], rtol=1e-4, atol=1e-4)


def test_a_set_of_the_apps_own_comes_back(page: Any, built: tuple[Path, list[float]]) -> None:
    own = """const { set } = Uint8Array.prototype; const told = {};
      Uint8Array.prototype.set = function (...all) { return set.apply(this, all); };"""
    got = value(page, own + RUN % "undefined", WIDTH)
    np.testing.assert_allclose(got["y"], built[1], rtol=1e-4, atol=1e-4)
    assert got["same"]


def chunks_of(built: tuple[Path, list[float]]) -> dict[str, int]:
    """File -> bytes."""
    manifest = json.loads((built[0] / "model-manifest.json").read_text())
    (variant,) = manifest["entries"]["large"]["variants"]
    return {chunk["file"]: chunk["bytes"] for file in variant["data"] for chunk in file["chunks"]}


def wait_until_stored(page: Any, built: tuple[Path, list[float]]) -> None:
    nbytes = sum(chunks_of(built).values())
    until(page, f"async (bytes) => (await ({FILES})()).reduce((sum, [, size]) => sum + size, 0) === bytes", nbytes)


def assert_nothing_is_missing(page: Any, built: tuple[Path, list[float]]) -> None:
    """To a page that comes later."""
    got = value(page, "const told = {};" + RUN % "undefined", WIDTH)
    assert got["downloaded"] == 0
    np.testing.assert_allclose(got["y"], built[1], rtol=1e-4, atol=1e-4)


def test_what_a_fast_network_brings_is_stored_behind_the_session(
    page: Any, built: tuple[Path, list[float]], site: Any, visit: Any
) -> None:
    got = value(page, FAST + LOOK + RUN % "spy", WIDTH)
    assert got["before"] == 0
    sizes = [size for _, size in page.evaluate(FILES)]
    assert sorted(sizes) == sorted(chunks_of(built).values())  # dispose has waited for it
    assert_nothing_is_missing(visit(), built)
    assert all(len(site.asked(path)) == 1 for path in {request.path for request in site.asked("/assets/")})


def test_a_weight_that_the_session_has_changed_is_fetched_again(
    page: Any, built: tuple[Path, list[float]], site: Any, visit: Any
) -> None:
    value(page, FAST + SCRIBBLE + RUN % "spy", WIDTH)
    wait_until_stored(page, built)
    assert_nothing_is_missing(visit(), built)
    assert sorted(len(site.asked(file)) for file in chunks_of(built)) == [1] * (len(chunks_of(built)) - 1) + [2]


@pytest.mark.parametrize("phase", ["download", "session"])
def test_an_abort_keeps_what_had_not_been_stored_yet(
    phase: str, page: Any, built: tuple[Path, list[float]], site: Any, visit: Any
) -> None:
    script = """
      const controller = new AbortController();
      const onProgress = ({ phase, loaded, total }) => phase === arg && loaded > total / 4 && controller.abort();
      return m.load("large", { signal: controller.signal, onProgress }).then(() => null, ({ name }) => name);
    """
    assert value(page, FAST + script, phase) == "AbortError"
    if phase == "session":
        wait_until_stored(page, built)
    value(page, "const told = {};" + RUN % "undefined", WIDTH)
    assert_nothing_is_missing(visit(), built)
    asked = [len(site.asked(file)) for file in chunks_of(built)]
    assert sum(asked) <= len(asked) + (6 if phase == "download" else 0)  # those that were on their way


def test_two_tabs_at_once_download_each_chunk_once(
    page: Any, built: tuple[Path, list[float]], site: Any, visit: Any
) -> None:
    site.rate = 8 * MIB
    tabs = [page, visit()]
    for tab in tabs:
        tab.evaluate("performance.now = () => 1; 0")  # however slow it is: it counts as fast
        start = "window.done = import('/dist/models.js').then((m) => m.load('large')).then(({ info }) => info)"
        tab.evaluate(f"{start}; 0")
    infos = [tab.evaluate("window.done") for tab in tabs]
    assert all(info["downloaded"] > 0 for info in infos)
    assert all(len(site.asked(file)) == 1 for file in chunks_of(built))
