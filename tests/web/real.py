"""The real models of the tests, with inputs made for them, and what native onnxruntime says."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
from playwright.sync_api import Page

from fixtures.real_models import path

from ..processor import saturates
from .conftest import value

RNG = np.random.default_rng


def float32(*shape: int, seed: int = 0) -> np.ndarray:
    return RNG(seed).standard_normal(shape).astype(np.float32) * np.float32(0.5)


# Name -> largest difference to native that is right, and inputs (none: made from the shapes).
MODELS: dict[str, tuple[float, dict[str, Any]]] = {
    "magika": (1e-4, {"bytes": RNG(1).integers(0, 256, (2, 2048)).astype(np.int32)}),
    "basic-pitch": (1e-4, {"serving_default_input_2:0": float32(1, 43844, 1)}),
    "silero-vad": (
        1e-4,
        {"input": float32(1, 576), "state": float32(2, 1, 128, seed=2), "sr": np.array(16000, np.int64)},
    ),
    "ppocr-det": (1e-4, {"x": float32(1, 3, 64, 96)}),
    "ppocr-rec": (1e-4, {"x": float32(1, 3, 48, 96)}),
    # int8: kernels of wasm and native round differently
    "smart-turn": (5e-2, {"input_features": float32(1, 80, 800)}),
    # where native int8 products overflow, wasm's are the right ones
    "voicefilter": (5e-1 if saturates() else 1e-1, {}),
}


def native(name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs and native outputs of a real model."""
    session = ort.InferenceSession(str(path(name)), providers=["CPUExecutionProvider"])
    feeds = MODELS[name][1] or {port.name: made(port) for port in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    return feeds, dict(zip(names, session.run(names, feeds), strict=True))


def made(port: Any) -> np.ndarray:
    return float32(*(size if isinstance(size, int) else 1 for size in port.shape), seed=3)


def as_json(feeds: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: {"data": array.ravel().tolist(), "dims": list(array.shape)} for name, array in feeds.items()}


RUN = """
const model = await m.load(arg.entry, arg.options);
const out = await model.run(arg.feeds);
await model.dispose();
return { info: model.info, out: Object.fromEntries(Object.entries(out).map(([name, { data, dims, type }]) =>
  [name, { data: Array.from(data, Number), dims, type }])) };
"""


def assert_native(page: Page, name: str, *, entry: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Loads `entry` in the page and compares with the real model `name` run natively; returns the model's info."""
    feeds, want = native(name)
    got = value(page, RUN, {"entry": entry, "options": options or {}, "feeds": as_json(feeds)})
    assert got["out"].keys() == want.keys()
    for output, array in want.items():
        assert got["out"][output]["dims"] == list(array.shape)
        there = np.array(got["out"][output]["data"]).reshape(array.shape)
        np.testing.assert_allclose(there, array, atol=MODELS[name][0], rtol=0)
    info: dict[str, Any] = got["info"]
    return info
