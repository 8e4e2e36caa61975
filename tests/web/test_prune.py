"""prune on networks that are really trained: fewer FLOPs, faster natively and in Chromium, as accurate as asked for."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from fixtures import digits, minilm, models, overlap

from ..cli import configure, run
from ..dist import assemble
from . import real
from .conftest import value

pytestmark = pytest.mark.slow
HEADER = "from bundler.loaders import prune\n"
IN_TURN = """
const load = (variant) => m.load(arg.entry, { variant, device: "wasm" });
const [one, other] = [await load(arg.variants[0]), await load(arg.variants[1])];
const ratios = [];
for (let turn = 0; turn < arg.runs; turn++) {
  const start = performance.now();
  await one.run(arg.feeds);
  const middle = performance.now();
  await other.run(arg.feeds);
  ratios.push((middle - start) / (performance.now() - middle));
}
return ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)];
"""
"""The median of times of the first variant over those of the second."""


def project(folder: Path, entries: str, header: str = HEADER) -> None:
    configure(folder, entries)
    config = folder / "model.config.py"
    config.write_text(header + config.read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A built project with both networks, and its stats."""
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("digits")
    models.save(digits.conv_net(), folder / "conv.onnx")
    models.save(digits.mlp(), folder / "mlp.onnx")
    digits.golden(folder / "golden.npz")
    golden = 'golden=Golden("golden.npz", metric="labels", at_least=0.9)'
    conv = '"cut": [prune(structured=0.4)], "source": []'
    mlp = '"cut": [prune(neurons=0.5)], "found": [prune(accuracy=0.93)], "source": []'
    entries = "".join(
        f'"{name}": Entry(source="{name}.onnx", variants={{{variants}}}, {golden}), '
        for name, variants in (("conv", conv), ("mlp", mlp))
    )
    project(folder, entries)
    return folder, run(folder, "build", "--json", timeout=600).ok().json


def step(stats: Any, entry: str, variant: str) -> Any:
    found = next(one for one in stats["entries"] if one["name"] == entry)
    return next(one for one in found["variants"] if one["name"] == variant)["steps"][-1]


def accuracy(session: ort.InferenceSession) -> float:
    image, labels = digits.held_out()
    return float((session.run(None, {"image": image})[0].argmax(1) == labels).mean())


def session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def ratio(one: Callable[[], Any], other: Callable[[], Any], runs: int = 40) -> float:
    """Time of `one` over that of `other`, taken in turn: the median of pairs, so that a busy machine hits both."""
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        one()
        middle = time.perf_counter()
        other()
        found.append((middle - start) / (time.perf_counter() - middle))
    return statistics.median(found)


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "kind"), [("conv", "channels"), ("mlp", "neurons")])
def test_a_trained_net_loses_a_third_of_its_flops_gets_faster_and_stays_accurate(
    trained: tuple[Path, Any], entry: str, kind: str, tmp_path: Path
) -> None:
    folder, stats = trained
    found = step(stats, entry, "cut")
    assert found["status"] == "ok"
    computed = found["details"]["flops"]
    assert computed["after"] <= 0.7 * computed["before"]
    assert found["bytesAfter"] < 0.75 * found["bytesBefore"]
    assert found["metric"] >= 0.9
    before, after = found["details"]["units"][kind]
    assert after < before
    saved = f"{1 - computed['after'] / computed['before']:.0%} fewer FLOPs"
    assert found["note"].startswith(saved)
    assert f"{before - after} of {before} {kind} cut" in found["note"]
    pruned, source = (session(assemble(folder / "dist", tmp_path / name, entry, name)) for name in ("cut", "source"))
    assert accuracy(pruned) >= accuracy(source) - 0.05
    batch = {"image": np.tile(digits.held_out()[0], (4, 1, 1, 1))}
    assert ratio(lambda: pruned.run(None, batch), lambda: source.run(None, batch)) < 0.9


@pytest.mark.slow
def test_accuracy_decides_how_much_goes(trained: tuple[Path, Any]) -> None:
    found = step(trained[1], "mlp", "found")
    assert found["status"] == "ok"
    assert found["metric"] >= 0.93
    tried = found["details"]["tried"]
    kept = max(one["saved"] for one in tried if one["metric"] >= 0.93)
    computed = found["details"]["flops"]
    assert kept == pytest.approx(1 - computed["after"] / computed["before"], abs=1e-3)
    assert any(one["metric"] < 0.93 for one in tried)


@pytest.mark.browser
@pytest.mark.parametrize("entry", ["conv", "mlp"])
def test_it_is_faster_in_chromium_too_and_says_the_same(
    trained: tuple[Path, Any], entry: str, tmp_path: Path, visit: Any
) -> None:
    shutil.copytree(trained[0] / "dist", tmp_path / "dist")
    image = np.tile(digits.held_out()[0][:256], (2, 1, 1, 1))
    feeds = real.as_json({"image": image})
    page = visit()
    call = {"entry": entry, "variants": ["cut", "source"], "feeds": feeds, "runs": 40}
    assert value(page, IN_TURN, call) < 0.9
    there = value(page, real.RUN, {"entry": entry, "options": {"variant": "cut", "device": "wasm"}, "feeds": feeds})
    (native,) = session(assemble(trained[0] / "dist", tmp_path / "again", entry, "cut")).run(None, {"image": image})
    np.testing.assert_allclose(np.array(there["out"]["scores"]["data"]).reshape(native.shape), native, atol=1e-3)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """MiniLM without a quarter of its FLOPs, on an eighth of the icons and all queries; and its stats."""
    pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("minilm")
    (folder / "minilm.onnx").symlink_to(minilm.model())
    shutil.copy(overlap.__file__, folder / "overlap.py")
    with np.load(minilm.golden()) as whole:
        arrays = dict(whole)
    count = sum(name.endswith("/input_ids") for name in arrays)
    queries = -(-minilm.QUERIES // minilm.BATCH)
    kept = [index for index in range(count) if index < queries or index % 4 == 0]
    parts = ("input_ids", "attention_mask", "token_type_ids")
    np.savez(
        folder / "some.npz",
        **{f"{new}/{part}": arrays[f"{old}/{part}"] for new, old in enumerate(kept) for part in parts},
    )
    golden = 'golden=Golden("some.npz", metric=top10_overlap, at_least=0.75)'
    variants = '"cut": [prune(structured=0.3)], "source": []'
    entry = f'"icons": Entry(source="minilm.onnx", {golden}, variants={{{variants}}})'
    project(folder, entry, HEADER + "from overlap import top10_overlap\n")
    return folder, run(folder, "build", "--json", timeout=900).ok().json


@pytest.mark.models
@pytest.mark.browser
def test_minilm_loses_heads_and_neurons_and_gets_faster(
    sentences: tuple[Path, Any], tmp_path: Path, visit: Any
) -> None:
    folder, stats = sentences
    found = step(stats, "icons", "cut")
    assert found["status"] == "ok", found["note"]
    computed = found["details"]["flops"]
    assert computed["after"] <= 0.7 * computed["before"]
    assert all(after < before for before, after in found["details"]["units"].values())
    assert set(found["details"]["units"]) == {"heads", "neurons"}
    assert found["metric"] >= 0.75
    feeds = minilm_feeds()
    pruned, source = (session(assemble(folder / "dist", tmp_path / name, "icons", name)) for name in ("cut", "source"))
    assert ratio(lambda: pruned.run(None, feeds), lambda: source.run(None, feeds), 15) < 0.92
    shutil.copytree(folder / "dist", tmp_path / "dist")
    call = {"entry": "icons", "variants": ["cut", "source"], "feeds": real.as_json(feeds), "runs": 15}
    assert value(visit(), IN_TURN, call) < 0.92


def minilm_feeds() -> dict[str, Any]:
    ids = models.rng(0).integers(1000, 20000, (4, 16))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
