"""Real, trained models: read, gated, emitted, and bit-identical when put together again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundler.graph.model import Port
from bundler.graph.view import from_ir, to_ir
from fixtures.models import rng
from fixtures.real_models import REAL_MODELS, path

from .graph_helpers import agree, read, run_file, written

pytestmark = pytest.mark.models

SIZES: dict[str, dict[str, list[int]]] = {
    "silero-vad": {"input": [1, 512], "state": [2, 1, 128]},
    "ppocr-det": {"x": [1, 3, 64, 64]},
    "ppocr-rec": {"x": [1, 3, 48, 160]},
    "voicefilter": {"stacked_logmel": [1, 20, 512]},
}
LIFTED = {"silero-vad": 18, "ppocr-det": 63, "ppocr-rec": 61}
"""Weights of models that keep all of them in Constant nodes."""


def _feed(name: str, port: Port) -> Any:
    if port.name == "sr":
        return np.array(16000)
    shape = SIZES.get(name, {}).get(port.name) or [d if isinstance(d, int) else 1 for d in port.shape or ()]
    if port.dtype == "float32":
        return rng(1).standard_normal(shape).astype(np.float32)
    return rng(1).integers(0, 200, shape).astype(port.dtype)


@pytest.mark.parametrize("name", sorted(REAL_MODELS))
def test_a_real_model_survives_bit_for_bit(name: str, tmp_path: Path) -> None:
    source = str(path(name))
    model = read(source).model
    feeds = {port.name: _feed(name, port) for port in model.signature.inputs}
    agree(source, model, feeds)
    assert len(model.weights) == LIFTED.get(name, len(model.weights))
    assert sum(weight.region.length for weight in model.weights) > 0.5 * Path(source).stat().st_size
    again = read(written(model, str(tmp_path))).model
    assert again.skeleton == model.skeleton
    back = from_ir(to_ir(model), str(tmp_path))
    assert back.weights == model.weights
    (tmp_path / "back").mkdir()
    for one, other in zip(run_file(written(back, str(tmp_path / "back")), feeds), run_file(source, feeds), strict=True):
        assert np.array_equal(one, other)
