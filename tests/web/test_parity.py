"""Real models, through the emitted loader in Chromium, give what native onnxruntime gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.real_models import path

from . import dist, real


@pytest.mark.browser
@pytest.mark.models
@pytest.mark.parametrize("name", real.MODELS)
def test_outputs_equal_native(name: str, tmp_path: Path, visit: Any) -> None:
    dist.build(tmp_path / "dist", {"it": {"fp32": path(name)}})
    real.assert_native(visit(), name, entry="it")
