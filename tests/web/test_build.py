"""Real models, built by the real command line, run in Chromium through the emitted loader as they run natively."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.real_models import path
from tests.cli import HEAD, run

from .. import dist
from . import real
from .conftest import value

pytestmark = [pytest.mark.browser, pytest.mark.models]

RUN = """
const model = await m.load(arg.entry);
const out = await model.run(arg.feeds);
await model.dispose();
return Object.fromEntries(Object.entries(out).map(([name, { data, dims }]) =>
  [name, { data: Array.from(data, Number), dims }]));
"""
CHAINS = {"plain": "", "simple": "simplify()", "small": "simplify(), quantize_dynamic()"}
QUANTIZED = {"smart-turn", "voicefilter"}
INT8 = 5e-2
"""Kernels of wasm and native round differently, and the difference grows from layer to layer."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All models, each chain an entry of its own."""
    app = tmp_path_factory.mktemp("real")
    entries = ""
    for name in real.MODELS:
        (app / f"{name}.onnx").symlink_to(path(name))
        for chain, steps in CHAINS.items():
            entries += f"    '{name}.{chain}': Entry(source='{name}.onnx', use=[{steps}]),\n"
    (app / "model.config.py").write_text(f"{HEAD}config = define_config(entries={{\n{entries}}})\n")
    run(app, "build", timeout=600).ok()
    return app / "dist"


@pytest.fixture(autouse=True)
def mounted(built: Path, tmp_path: Path) -> None:
    """Where `site` serves from."""
    (tmp_path / "dist").symlink_to(built)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("name", real.MODELS)
def test_chromium_agrees_with_native(name: str, chain: str, built: Path, tmp_path: Path, visit: Any) -> None:
    if name in QUANTIZED and chain == "small":
        pytest.skip("quantized already: the same as simple")
    feeds, want = real.native(name)
    atol = real.MODELS[name][0]
    if chain == "small":  # compared with what was emitted, not with the source
        want = dist.outputs(dist.assemble(built, tmp_path / "again", f"{name}.{chain}"), feeds)
        atol = INT8 * max(1.0, *(float(np.abs(array).max()) for array in want.values()))
    got = value(visit(), RUN, {"entry": f"{name}.{chain}", "feeds": real.as_json(feeds)})
    assert got.keys() == want.keys()
    for output, array in want.items():
        assert got[output]["dims"] == list(array.shape)
        data = np.array(got[output]["data"]).reshape(array.shape)
        np.testing.assert_allclose(data, array, atol=atol, rtol=0, err_msg=output)
