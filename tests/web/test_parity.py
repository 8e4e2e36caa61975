"""Real models, through the emitted loader in Chromium, give what native onnxruntime gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.real_models import path

from . import dist, real
from .conftest import value

RUN = """
const model = await m.load("it");
const out = await model.run(arg);
await model.dispose();
return { info: model.info, out: Object.fromEntries(Object.entries(out).map(([name, { data, dims, type }]) =>
  [name, { data: Array.from(data, Number), dims, type }])) };
"""


@pytest.mark.browser
@pytest.mark.models
@pytest.mark.parametrize("name", real.MODELS)
def test_outputs_equal_native(name: str, tmp_path: Path, visit: Any) -> None:
    dist.build(tmp_path / "dist", {"it": {"fp32": path(name)}})
    feeds, want = real.native(name)
    got = value(visit(), RUN, real.as_json(feeds))
    assert got["out"].keys() == want.keys()
    for output, array in want.items():
        assert got["out"][output]["dims"] == list(array.shape)
        np.testing.assert_allclose(
            np.array(got["out"][output]["data"]).reshape(array.shape), array, atol=real.MODELS[name][0], rtol=0
        )
