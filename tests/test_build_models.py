"""All real models through the real command line, with each chain; what is emitted computes what the source computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.real_models import REAL_MODELS, path

from . import dist
from .cli import HEAD, leftovers, run, tree
from .web import real

pytestmark = pytest.mark.models

CHAINS = {"plain": "", "simple": "simplify()", "small": "simplify(), quantize_dynamic()"}
CONFIG = (
    HEAD
    + """
config = define_config(entries={{
    name: Entry(source=f"{{name}}.onnx", variants={{{variants}}}) for name in {names}
}})
"""
)
SHRINKS = {"magika": 0.3, "silero-vad": 0.65, "basic-pitch": 0.9, "ppocr-det": 0.4, "ppocr-rec": 0.4}
"""To which share dynamic quantization takes a model; the other two are quantized already."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One build of all models, each in three variants, and its report."""
    app = tmp_path_factory.mktemp("real")
    for name in REAL_MODELS:
        (app / f"{name}.onnx").symlink_to(path(name))
    variants = ", ".join(f"{name!r}: [{steps}]" for name, steps in CHAINS.items())
    (app / "model.config.py").write_text(CONFIG.format(variants=variants, names=sorted(REAL_MODELS)))
    stats = run(app, "build", "--json", timeout=600).ok().json
    dist.check(app / "dist")
    assert leftovers(app) == []
    return app, stats


def steps(stats: dict[str, Any], name: str, variant: str) -> list[dict[str, Any]]:
    entry = next(entry for entry in stats["entries"] if entry["name"] == name)
    found: list[dict[str, Any]] = next(v["steps"] for v in entry["variants"] if v["name"] == variant)
    return found


@pytest.mark.parametrize("name", sorted(REAL_MODELS))
def test_without_a_loader_outputs_are_bit_identical(name: str, built: tuple[Path, Any], tmp_path: Path) -> None:
    emitted = dist.assemble(built[0] / "dist", tmp_path, name, "plain")
    feeds, _ = real.native(name)
    dist.agree(path(name), emitted, feeds)
    weights = sum(file.stat().st_size for file in tmp_path.iterdir() if file != emitted)
    assert weights > 0.5 * path(name).stat().st_size, "weights are to lie in chunks, not in the graph"


@pytest.mark.parametrize("variant", ["simple", "small"])
@pytest.mark.parametrize("name", sorted(REAL_MODELS))
def test_with_loaders_outputs_agree(name: str, variant: str, built: tuple[Path, Any], tmp_path: Path) -> None:
    """Within what the build says of itself; a step that did nothing or was taken back says why."""
    app, stats = built
    for step in steps(stats, name, variant):
        assert step["status"] in ("ok", "cached") or step["note"], step
    feeds, _ = real.native(name)
    exact = dist.outputs(path(name), feeds)
    close = dist.outputs(dist.assemble(app / "dist", tmp_path, name, variant), feeds)
    for output, array in exact.items():
        assert np.isfinite(close[output]).all()
        if variant == "simple":
            np.testing.assert_allclose(close[output], array, atol=1e-4, rtol=0, err_msg=output)
    if variant == "small":  # noise is nothing that the models were made for, and int8 shows it: the build's word counts
        assert all((step["cosine"] or 1) > 0.95 for step in steps(stats, name, variant))


@pytest.mark.parametrize("name", sorted(REAL_MODELS))
def test_quantization_shrinks_what_it_is_for_and_says_why_not_else(name: str, built: tuple[Path, Any]) -> None:
    step = steps(built[1], name, "small")[1]
    if name in SHRINKS:
        assert step["status"] == "ok", step
        assert step["bytesAfter"] <= SHRINKS[name] * step["bytesBefore"]
    else:
        assert step["status"] in ("skipped", "rolled back"), step
        assert "already" in step["note"], step


def test_a_second_build_of_all_takes_every_step_from_the_cache(built: tuple[Path, Any]) -> None:
    app, stats = built
    before = tree(app / "dist")
    assert run(app, "build", "--json").ok().json["fresh"]
    with (app / "model.config.py").open("a") as file:
        file.write("# another text, the same steps\n")
    again = run(app, "build", "--json").ok().json
    assert again["steps"]["cached"] == again["steps"]["total"] == stats["steps"]["total"]
    assert tree(app / "dist") == before
