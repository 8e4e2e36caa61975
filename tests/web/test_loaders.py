"""What loaders make of real models runs in Chromium and gives what the source gives in native onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from playwright.sync_api import Page

from bundler.config.schema import LoaderSpec
from bundler.graph.write import graph_file
from fixtures import models, real_models
from fixtures.bert import bert

from ..chains import Bench
from ..cli import run
from ..test_calibrate import embedder
from . import dist, real
from .conftest import value

FUSE = LoaderSpec("fuse", (("attention", True),))


def made(folder: Path, source: onnx.ModelProto, step: LoaderSpec = FUSE) -> onnx.ModelProto:
    model = Bench(folder).run(source, step).model
    return onnx.load_model_from_string(graph_file(model, [None] * len(model.weights)))


def outputs(page: Page, feeds: dict[str, np.ndarray[Any, Any]]) -> Any:
    """Output name -> {"data", "dims"} of the entry "it"."""
    return value(page, real.RUN, {"entry": "it", "options": {}, "feeds": real.as_json(feeds)})["out"]


@pytest.mark.browser
@pytest.mark.models
@pytest.mark.parametrize("name", real.MODELS)
def test_fused_models(name: str, tmp_path: Path, visit: Any) -> None:
    dist.build(tmp_path / "dist", {"it": {"fused": made(tmp_path, onnx.load(real_models.path(name)))}})
    real.assert_native(visit(), name, entry="it")


@pytest.mark.browser
def test_fused_attention(tmp_path: Path, visit: Any) -> None:
    from onnxruntime import InferenceSession

    source = bert(layers=2)
    dist.build(tmp_path / "dist", {"it": {"fused": made(tmp_path, source)}})
    ids = models.rng(1).integers(0, 97, (2, 9))
    feeds = {"input_ids": ids, "attention_mask": (np.arange(9) < [[9], [5]]).astype(np.int64)}
    (want,) = InferenceSession(source.SerializeToString()).run(None, feeds)
    got = outputs(visit(), feeds)["last_hidden_state"]
    np.testing.assert_allclose(np.array(got["data"]).reshape(got["dims"]), want, atol=1e-5, rtol=0)


STATIC = {"method": "minmax", "percentile": 99.9, "per_channel": True, "ops": (), "activations": "uint8"}


@pytest.mark.browser
@pytest.mark.models
@pytest.mark.parametrize(("name", "least"), [("magika", 0.999), ("ppocr-det", 0.95), ("ppocr-rec", 0.95)])
def test_statically_quantized_models(name: str, least: float, tmp_path: Path, visit: Any) -> None:
    """8-bit kernels of wasm and of native round differently: the outputs point the same way."""
    feeds, want = real.native(name)
    np.savez(tmp_path / "calibration.npz", **feeds)
    spec = LoaderSpec("quantize_static", (("calibration", ("calibration.npz",)), *STATIC.items(), ("samples", 8)))
    model = made(tmp_path, onnx.load(real_models.path(name)), spec)
    dist.build(tmp_path / "dist", {"it": {"q8": model}})
    got = outputs(visit(), feeds)
    for output, array in want.items():
        found = np.array(got[output]["data"]).reshape(array.shape)
        assert np.vdot(found, array) > least * np.linalg.norm(found) * np.linalg.norm(array)


AUTO = """from bundler import Entry, Golden, define_config
from bundler.loaders import auto

golden = Golden("golden.npz", calibration="others.npz")
config = define_config(entries={"it": Entry(source="net.onnx", golden=golden, use=[auto(accuracy=0.99)])})
"""


@pytest.mark.browser
def test_a_recipe_that_auto_wrote(tmp_path: Path, visit: Any) -> None:
    """Weights rounded with other texts in view, and a table whose known rows have 8 bits."""
    from onnxruntime import InferenceSession

    source = embedder()
    onnx.save(source, tmp_path / "net.onnx")
    ids = models.rng(5).integers(0, 60, 96)
    np.savez(tmp_path / "others.npz", ids=np.arange(100))
    np.savez(tmp_path / "golden.npz", ids=ids)
    (tmp_path / "model.config.py").write_text(AUTO)
    run(tmp_path, "build", "--write").ok()
    (built,) = run(tmp_path, "build", "--json").ok().json["entries"][0]["variants"]
    assert built["steps"][-1]["ops"]["Where"] == 1
    (want,) = InferenceSession(source.SerializeToString()).run(None, {"ids": ids})
    got = np.array(outputs(visit(), {"ids": ids})["y"]["data"]).reshape(want.shape)
    cosine = np.vdot(got, want) / np.linalg.norm(got) / np.linalg.norm(want)
    assert cosine >= 0.99
    assert abs(cosine - built["steps"][-1]["cosine"]) < 1e-3
