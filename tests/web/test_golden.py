"""A variant that is right natively and wrong on one provider: found by the check in the browser, never given to a page.

The variant multiplies by 1e-20 twice and back: its numbers are subnormal on the way, which WebGPU may take for zero
(https://www.w3.org/TR/WGSL/#floating-point-accuracy), and SwiftShader does. No NaN, no error: a trial run is content.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bundler.measure.browser import browsing
from bundler.measure.tensor import Tensor
from tests.cli import Ran, run

from .conftest import ROOT, apart

pytestmark = [pytest.mark.browser]

CONFIG = """
import numpy as np
import onnx_ir as ir
from bundler import Entry, Golden, Output, define_config

def odd(model, context):
    edited = model.to_ir()
    graph = edited.graph
    first = graph[0]
    value = first.inputs[0]
    for name, factor in (("a", 1e-20), ("b", 1e-20), ("c", 1e20), ("d", {last})):
        constant = ir.node("Constant", [], attributes={{"value": ir.tensor(np.float32(factor))}})
        constant.outputs[0].name = f"{{name}}_factor"
        times = ir.node("Mul", [value, constant.outputs[0]])
        times.outputs[0].name = f"{{name}}_product"
        graph.insert_before(first, [constant, times])
        value = times.outputs[0]
    first.replace_input_with(0, value)
    return model.with_ir(edited, context.scratch)

config = define_config(
    entries={{"net": Entry(
        source="net.onnx", golden=Golden("inputs.npz"), max_error=1, variants={{"odd": [odd], "plain": []}},
    )}},
)
"""


def configure(root: Path, last: str = "1e20") -> None:
    (root / "model.config.py").write_text(CONFIG.format(last=last))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    weight = numpy_helper.from_array(np.full((1024,), 3, np.float32), "w")
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1024]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "g", ports[:1], ports[1:], [weight])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "net.onnx"
    )
    np.savez(tmp_path / "inputs.npz", x=np.random.default_rng(0).normal(size=(2, 3, 1024)).astype(np.float32))
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    configure(tmp_path)
    run(tmp_path, "build").ok()
    run(tmp_path, "golden", "record").ok()
    return tmp_path


def on_webgpu(root: Path, variant: str | None = None) -> float:
    """What a page gets that asks for the GPU, for an input of twos; 6 is right."""
    x = Tensor("float32", (1, 1024), np.full((1, 1024), 2, np.float32).tobytes())

    def ask() -> Tensor:
        with browsing(str(root / "dist"), root=str(root), gpu="software") as browser:
            if browser.adapter() is None:
                pytest.skip("no WebGPU here")
            (found,), _ = browser.run("net", [{"x": x}], variant=variant, device="webgpu")
        return found["y"]

    return float(np.frombuffer(apart(ask).data, np.float32)[7])


def check(root: Path, *more: str) -> tuple[Ran, Any]:
    done = run(root, "golden", "check", "--json", *more)
    return done, done.json


def manifest(root: Path) -> Any:
    return json.loads((root / "dist/model-manifest.json").read_bytes())["entries"]["net"]["variants"]


def test_what_is_wrong_on_a_provider_is_found_and_never_given_to_a_page(project: Path) -> None:
    assert on_webgpu(project) == 0  # the first variant, wrong, and nothing noticed
    found, told = check(project)
    assert found.status == 1
    places = told["entries"]["net"]["variants"]["odd"]["providers"]
    assert [places[place]["status"] for place in ("native", "wasm", "webgpu")] == ["ok", "ok", "wrong"]
    (problem,) = told["problems"]
    assert problem["code"] == "MB524"
    assert problem["what"].startswith("net/odd on webgpu: it differs from the source by ")

    written, told = check(project, "--write")
    assert (written.status, [one["code"] for one in told["warnings"]]) == (0, ["MB525"])
    assert "net/odd is not used on webgpu" in written.stderr
    odd, plain = manifest(project)
    assert odd["providers"] == ["wasm"]
    assert "providers" not in plain
    assert on_webgpu(project) == pytest.approx(6)
    assert on_webgpu(project, "odd") == pytest.approx(6, rel=1e-3)  # on wasm then, also for who insists

    again, _ = check(project)
    assert again.status == 0  # still wrong there, and offered no more


def test_the_verdict_is_kept_with_the_project_and_heeded_by_every_build(project: Path) -> None:
    check(project, "--write", "--provider", "webgpu")
    kept = (project / "golden/verdicts.json").read_bytes()
    built = (project / "dist/model-manifest.json").read_bytes()
    for folder in ("dist", ".mbundle"):
        shutil.rmtree(project / folder)
    said = run(project, "build").ok().stderr
    assert "warning[MB525]" in said
    assert (project / "dist/model-manifest.json").read_bytes() == built
    configure(project, last="0.999e20")
    said = run(project, "build").ok().stderr
    assert "warning[MB527]" in said  # another variant now: left out until somebody has looked
    assert manifest(project)[0]["providers"] == ["wasm"]
    configure(project)
    run(project, "build").ok()
    check(project, "--write", "--provider", "webgpu")
    assert (project / "golden/verdicts.json").read_bytes() == kept
    (project / "golden/verdicts.json").unlink()
    run(project, "build").ok()
    assert "providers" not in manifest(project)[0]
    (project / "golden/verdicts.json").write_text(
        '{"version": 1, "entries": {"net": {"odd": {"excluded": {"cpu": ""}}}}}'
    )
    run(project, "build").failed("MB526")
