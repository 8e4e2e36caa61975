"""Weights of more than 192 MiB: handed over piece by piece, whatever else the page has done to typed arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from fixtures.models import mlp

from . import dist
from .conftest import value

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
  return { y: Array.from(y.data), same, ...told };
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
