"""What loaders make of real models runs in Chromium and gives what the source gives in native onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bundler.config.schema import LoaderSpec
from bundler.graph.write import graph_file
from fixtures import models, real_models
from fixtures.bert import bert

from ..test_loaders_chain import Bench
from . import dist, real
from .conftest import value
from .test_parity import RUN

FUSE = LoaderSpec("fuse", (("attention", True),))


def fused(folder: Path, source: onnx.ModelProto) -> onnx.ModelProto:
    model = Bench(folder).run(source, FUSE).model
    return onnx.load_model_from_string(graph_file(model, [None] * len(model.weights)))


@pytest.mark.browser
@pytest.mark.models
@pytest.mark.parametrize("name", real.MODELS)
def test_fused_models(name: str, tmp_path: Path, visit: Any) -> None:
    dist.build(tmp_path / "dist", {"it": {"fused": fused(tmp_path, onnx.load(real_models.path(name)))}})
    feeds, want = real.native(name)
    got = value(visit(), RUN, real.as_json(feeds))
    for output, array in want.items():
        found = np.array(got["out"][output]["data"]).reshape(got["out"][output]["dims"])
        np.testing.assert_allclose(found, array, atol=real.MODELS[name][0], rtol=0)


@pytest.mark.browser
def test_fused_attention(tmp_path: Path, visit: Any) -> None:
    from onnxruntime import InferenceSession

    source = bert(layers=2)
    dist.build(tmp_path / "dist", {"it": {"fused": fused(tmp_path, source)}})
    ids = models.rng(1).integers(0, 97, (2, 9))
    feeds = {"input_ids": ids, "attention_mask": (np.arange(9) < [[9], [5]]).astype(np.int64)}
    (want,) = InferenceSession(source.SerializeToString()).run(None, feeds)
    got = value(visit(), RUN, real.as_json(feeds))["out"]["last_hidden_state"]
    np.testing.assert_allclose(np.array(got["data"]).reshape(got["dims"]), want, atol=1e-5, rtol=0)
