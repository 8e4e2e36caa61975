"""A new version costs a returning page what has changed; an abort costs it nothing that was already here."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from bundler.chunks.cut import Tensor
from bundler.chunks.layout import plan
from bundler.config.schema import ChunkSpec
from fixtures.models import mlp

from . import dist, project
from .conftest import until, value
from .server import Site
from .stored import HELPERS, settle

pytestmark = pytest.mark.browser

LAYERS, WIDTH = 12, 256


def model(changed: int | None) -> onnx.ModelProto:
    """Twelve layers of 256 KiB; `changed`: the one whose weights are others."""
    made = mlp(seed=1, width=WIDTH, layers=LAYERS)
    if changed is not None:
        (weight,) = [tensor for tensor in made.graph.initializer if tensor.name == f"w{changed}"]
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.5), weight.name))
    return made


def version(folder: Path, changed: int | None) -> Path:
    (folder / "it.onnx").write_bytes(model(changed).SerializeToString())
    return project.build(folder, {"it": folder / "it.onnx"})


def files(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (folder / "assets").iterdir()}


def hashes(folder: Path) -> list[str]:
    (variant,) = json.loads((folder / "model-manifest.json").read_text())["entries"]["it"]["variants"]
    return [
        each["sha256"] for each in (variant["graph"], *(chunk for data in variant["data"] for chunk in data["chunks"]))
    ]


def test_after_a_one_layer_change_only_that_layer_is_fetched(tmp_path: Path, site: Site, visit: Any) -> None:
    out = version(tmp_path, None)
    site.mounts["/dist/"] = out
    page = visit()
    value(page, "await (await m.load('it')).dispose()")
    settle(page, hashes(out))
    old_hashes, old = set(hashes(out)), files(out)
    page.close()

    version(tmp_path, 5)
    new = {name: size for name, size in files(out).items() if name not in old}
    began = len(site.requests)
    page = visit()
    info = value(page, "const it = await m.load('it'); await it.dispose(); return it.info")
    fetched = {
        request.path.rpartition("/")[2]: request.sent for request in site.requests[began:] if "/assets/" in request.path
    }
    assert fetched == new
    assert info["downloaded"] == sum(size for name, size in new.items() if not name.startswith("manifest-"))
    assert info["downloaded"] == predicted(5) < WIDTH * WIDTH * 4 * 3
    settle(page, hashes(out))
    gone = list(old_hashes - set(hashes(out)))
    assert gone
    left = f"async (gone) => {{ {HELPERS} return !(await Promise.all(gone.map(stored))).some(Boolean); }}"
    until(page, left, gone)


def predicted(changed: int) -> int:
    """What the planner that `benchmarks/update` measures says: bytes of the chunks that the old build has not."""
    before, after = (planned(model(number)) for number in (None, changed))
    return sum(nbytes for pieces, nbytes in after.items() if pieces not in before)


def planned(made: onnx.ModelProto) -> dict[Any, int]:
    contents = [numpy_helper.to_array(tensor).tobytes() for tensor in made.graph.initializer]
    tensors = [Tensor(hashlib.sha256(content).hexdigest(), len(content)) for content in contents]
    spec = ChunkSpec(min_size=64 << 10, max_size=512 << 10)
    return {tuple(chunk.slices): chunk.nbytes for chunk in plan({("it", "default"): tensors}, spec).chunks}


def test_an_abort_at_any_moment_keeps_what_was_verified(tmp_path: Path, site: Site, visit: Any) -> None:
    names = [f"it{number}" for number in range(20)]
    models = {name: {"fp32": mlp(seed=100 * number, width=128, layers=4)} for number, name in enumerate(names)}
    manifest = dist.build(tmp_path / "dist", models, max_size=64 << 10)
    sizes = {
        name: {each["sha256"]: each["bytes"] for each in (variant["graph"], *variant["data"][0]["chunks"])}
        for name, entry in manifest["entries"].items()
        for variant in entry["variants"]
    }
    site.rate = 1 << 20
    page = visit()
    value(page, "await (await m.load('it0')).dispose()")  # onnxruntime is here: an abort meets the files
    spread = random.Random(4)
    script = f"""{HELPERS}
      const {{ name, after, sizes }} = arg;
      const signal = AbortSignal.timeout(after);
      const error = await m.load(name, {{ signal }}).then(() => null, (error) => error.name);
      let kept = 0;
      for (const [sha256, bytes] of Object.entries(sizes)) if (await stored(sha256)) kept += bytes;
      const it = await m.load(name);
      await it.dispose();
      return {{ error, kept, info: it.info }};
    """
    seen = []
    for number, name in enumerate(names[1:]):
        after = spread.randrange((120, 240, 480)[number % 3])  # machines differ in how far a load gets
        argument = {"name": name, "after": after, "sizes": sizes[name]}
        got = value(page, script, argument)
        assert got["error"] in (None, "TimeoutError")
        assert got["info"]["fromCache"] >= got["kept"]
        assert got["info"]["downloaded"] + got["info"]["fromCache"] == sum(sizes[name].values())
        seen.append((got["error"], got["kept"]))
    assert {error for error, _ in seen} == {None, "TimeoutError"} or all(error for error, _ in seen)
    assert any(error and kept for error, kept in seen)
