"""Where models come from: every kind of source, unusual models, models over 2 GiB."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import models

from . import dist
from .cli import configure, run

X = {"x": models.noise(1, 2, 64)}


def test_all_kinds_of_sources(app: Path, tmp_path: Path) -> None:
    """A folder, node_modules, an installed package, a Hugging Face cache of links, and external data, in one build."""
    (app / "folder").mkdir()
    models.save_external(models.mlp(1), app / "folder/model.onnx")
    (app / "node_modules/@acme/models/onnx").mkdir(parents=True)
    models.save(models.mlp(2), app / "node_modules/@acme/models/onnx/m.onnx")
    site = tmp_path / "site-packages"
    (site / "acme_vad").mkdir(parents=True)
    (site / "acme_vad-1.0.dist-info").mkdir()
    models.save(models.mlp(3), site / "acme_vad/vad.onnx")
    (site / "acme_vad-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme-vad\nVersion: 1.0\n")
    (site / "acme_vad-1.0.dist-info/RECORD").write_text("acme_vad/vad.onnx,,\nacme_vad-1.0.dist-info/METADATA,,\n")
    hub = models.save_in_hub_cache(models.mlp(4), app / "hub")
    configure(
        app,
        "'folder': Entry(source='folder'), 'npm': Entry(source='npm:@acme/models/onnx/m.onnx'),"
        f"'package': Entry(source='package:acme-vad/acme_vad/vad.onnx'), 'hub': Entry(source={hub!r}),",
    )
    path = os.pathsep.join((str(Path(__file__).parent.parent), str(site)))
    run(app, "build", env={"PYTHONPATH": path}).ok()
    found = dist.check(app / "dist")
    assert sorted(found["entries"]) == ["folder", "hub", "npm", "package"]
    for seed, name in enumerate(("folder", "npm", "package", "hub"), 1):
        source = models.save(models.mlp(seed), tmp_path / f"{name}.onnx")
        dist.agree(source, dist.assemble(app / "dist", tmp_path / name, name), X)


def odd_names(model: models.ModelProto) -> models.ModelProto:
    """Names that would break out of a script, a terminal or a path, if anything let them."""
    new = {"x": "</script>\u2028 `${x}`", "w0": "../../w0", "mm0": "\x1b[2J", "add0": "a" * 100_000, "w1": "CON"}
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for value in (*model.graph.initializer, *model.graph.input):
        value.name = new.get(value.name, value.name)
    return model


def trailing_blank() -> models.ModelProto:
    """A LayerNormalization that says of its bias that it has none: valid, and it brings onnxruntime 1.32 down."""
    node = models.helper.make_node("LayerNormalization", ["x", "g", ""], ["y"], name="norm")
    ports = [models.port("x", [2, 32])], [models.port("y", [2, 32])]
    return models.make([node], *ports, [models.tensor("g", models.noise(0, 32))])


UNUSUAL: dict[str, tuple[models.ModelProto, dict[str, np.ndarray[Any, Any]]]] = {
    "constants": (models.constant_weights(), {"x": models.noise(1, 16, 32)}),
    "if": (models.if_model(), {"flag": np.array(False), "x": models.noise(1, 32, 32)}),
    "loop": (models.loop_model(), {"steps": np.array(3), "x": models.noise(1, 2, 32)}),
    "scan": (models.scan_model(), {"x": models.noise(1, 5, 32)}),
    "function": (models.function_model(), {"x": models.noise(1, 4, 32)}),
    "tied": (models.tied_model(), {"ids": np.array([3, 1, 4])}),
    "sparse": (models.sparse_model(), {"x": models.noise(1, 2, 64)}),
    "bf16": (models.cast_model(models.TensorProto.BFLOAT16), {"x": models.noise(1, 1)}),
    "fp8": (models.cast_model(models.TensorProto.FLOAT8E4M3FN), {"x": models.noise(1, 1)}),
    "int4": (models.cast_model(models.TensorProto.INT4), {"x": models.noise(1, 1)}),
    "opset9": (models.mlp(opset=9, ir=4), X),
    "names": (odd_names(models.mlp()), {"</script>\u2028 `${x}`": X["x"]}),
    "blank": (trailing_blank(), {"x": models.noise(1, 2, 32)}),
}


@pytest.fixture(scope="module")
def unusual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One build of all of UNUSUAL."""
    root = tmp_path_factory.mktemp("unusual")
    for name, (model, _) in UNUSUAL.items():
        models.save(model, root / f"{name}.onnx")
    configure(root, "".join(f"{name!r}: Entry(source='{name}.onnx')," for name in UNUSUAL))
    run(root, "build").ok()
    dist.check(root / "dist")
    return root


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_models_build_to_the_same_outputs(name: str, unusual: Path, tmp_path: Path) -> None:
    dist.agree(unusual / f"{name}.onnx", dist.assemble(unusual / "dist", tmp_path, name), UNUSUAL[name][1])


@pytest.mark.slow
def test_more_than_two_gib(app: Path, tmp_path: Path) -> None:
    models.save_huge(app / "models", gib=2.25)
    configure(app, "'huge': Entry(source='models/huge.onnx')")
    run(app, "build", timeout=600).ok()
    found = dist.manifest(app / "dist")
    (variant,) = found["entries"]["huge"]["variants"]
    assert sum(data["bytes"] for data in variant["data"]) >= 2.25 * (1 << 30) - (1 << 20)
    assert max(data["bytes"] for data in variant["data"]) <= 1 << 30, "no browser holds more in one buffer"
    for data in variant["data"]:
        dist.tiled(data)
    graph = dist.read(app / "dist", variant["graph"])
    assert len(graph) < 20_000
    shutil.rmtree(app)
