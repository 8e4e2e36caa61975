"""`split` through the command line: what is emitted, that it computes the same, what other verbs make of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundler.emit.manifest_reader import parse
from bundler.errors import InputError
from fixtures import models

from . import dist
from .cli import Within, configure

HOSTILE: list[tuple[str, str, Callable[[Any], object]]] = [
    ("[1].inputs", "made before", lambda stages: stages[1]["inputs"].append(stages[2]["outputs"][0])),
    ("[2].outputs", "free of equal names", lambda stages: stages[2]["outputs"].append(stages[1]["outputs"][0])),
    ("[0].data", "paths of the variant's data", lambda stages: stages[0]["data"].append("weights-9")),
    ("", "there for every output", lambda stages: stages.pop()),
    ("[1].graph.file", "text like", lambda stages: stages[1]["graph"].update(file="../x")),
]

Arrays = dict[str, np.ndarray[Any, Any]]


def project(root: Path, steps: str, more: str = "") -> Path:
    models.save(models.headed(), root / "net.onnx")
    configure(root, f"'net': Entry(source='net.onnx', use=[{steps}], {more})")
    return root


def variant(root: Path) -> Any:
    return next(dist.variants(dist.check(root / "dist")))


def chained(root: Path, folder: Path, feeds: Arrays) -> Arrays:
    """What the emitted stages give, one after the other."""
    dist.assemble(root / "dist", folder, "net")
    values = dict(feeds)
    for number, stage in enumerate(variant(root)["stages"]):
        path = folder / f"{number}.onnx"
        path.write_bytes(dist.read(root / "dist", stage["graph"]))
        values |= dist.outputs(path, {port["name"]: values[port["name"]] for port in stage["inputs"]})
    return values


@pytest.mark.parametrize("seed", [3, 4])  # the If goes one way and the other
def test_stages_compute_what_the_model_computes(tmp_path: Path, within: Within, seed: int) -> None:
    root = project(tmp_path, "split(at=['trunk', 'early'])")
    stats = within(root, "build", "--json").ok().json
    (step,) = stats["entries"][0]["variants"][0]["steps"]
    assert (step["step"], step["status"], step["details"]["difference"]) == ("split", "ok", 0.0)
    feeds = {"x": models.noise(seed, 5, 64) + np.float32(1 if seed == 3 else -1)}
    whole = dist.outputs(root / "net.onnx", feeds)
    values = chained(root, tmp_path / "emitted", feeds)
    for name, expected in whole.items():
        assert values[name].tobytes() == expected.tobytes(), name
    dist.agree(root / "net.onnx", tmp_path / "emitted/model.onnx", feeds)


def test_each_stage_has_its_own_files_and_what_the_if_captures(tmp_path: Path, within: Within) -> None:
    root = project(tmp_path, "split(at=['trunk', 'early'])")
    within(root, "build").ok()
    found = variant(root)
    ports = [[[port["name"] for port in stage[side]] for side in ("inputs", "outputs")] for stage in found["stages"]]
    assert ports == [[["x"], ["trunk"]], [["trunk"], ["early"]], [["x", "trunk"], ["late"]]]
    assert found["stages"][1]["inputs"][0] == {"name": "trunk", "dtype": "float32", "shape": ["batch", 256]}
    chunks = {data["path"]: {chunk["file"] for chunk in data["chunks"]} for data in found["data"]}
    held = [set().union(*(chunks[path] for path in stage["data"])) for stage in found["stages"]]
    assert not held[0] & held[1]
    assert not held[1] & held[2]
    sent = sum(stage["graph"]["bytes"] for stage in found["stages"]) + sum(data["bytes"] for data in found["data"])
    assert found["measured"]["bytes"] == sent
    module = (root / "dist/entries/net.js").read_text()
    assert all(stage["graph"]["file"] in module for stage in found["stages"])
    assert found["graph"]["file"] not in module
    for at, wanted, edit in HOSTILE:
        manifest = copy.deepcopy(dist.manifest(root / "dist"))
        edit(manifest["entries"]["net"]["variants"][0]["stages"])
        with pytest.raises(InputError) as caught:
            parse(json.dumps(manifest).encode(), "model-manifest.json")
        (problem,) = caught.value.problems
        assert problem.code == "MB422"
        assert f".stages{at} must be {wanted}" in problem.what, problem.what


def test_variants_are_cut_for_themselves_and_a_second_build_cuts_nothing(tmp_path: Path, within: Within) -> None:
    variants = "variants={'fits': [split(max_bytes='900 KB')], 'two': [split(stages=2)], 'plain': []}"
    root = project(tmp_path, "simplify(), split(by='auto', max_bytes='400 KB')", variants)
    first = within(root, "build", "--json").ok().json
    count = {one["name"]: len(one.get("stages", ())) for one in dist.variants(dist.check(root / "dist"))}
    assert count == {"fits": 0, "two": 2, "plain": 2}
    notes = {one["name"]: one["steps"][-1]["note"] for one in first["entries"][0]["variants"]}
    assert notes["fits"] == "it fits in one stage"
    assert notes["plain"].startswith("2 stages: ")
    config = root / "model.config.py"
    before = (root / "dist/model-manifest.json").read_bytes()
    config.write_text(config.read_text() + "\n# touched\n")
    again = within(root, "build", "--json").ok().json
    assert again["steps"]["cached"] == again["steps"]["total"] == 6
    assert (root / "dist/model-manifest.json").read_bytes() == before


def test_native_tools_read_a_split_variant(tmp_path: Path, within: Within) -> None:
    root = project(tmp_path, "split(at=['trunk'])", "budget=Budget(size='2 MB')")
    within(root, "build").ok()
    within(root, "golden", "record").ok()
    checked = within(root, "golden", "check", "--browser", "none", "--json").ok().json
    native = checked["entries"]["net"]["variants"]["default"]["providers"]["native"]
    assert native["status"] == "ok"
    assert native["maxRel"] < 1e-5
    found = variant(root)
    why = within(root, "why", "w_late", "--json").ok().json
    held = {chunk["file"] for chunk in why["places"][0]["chunks"]}
    assert held
    assert held <= {chunk["file"] for chunk in found["data"][1]["chunks"]}
    stage = within(root, "why", found["stages"][1]["graph"]["file"], "--json").ok().json
    assert stage["users"] == ["net/default"]
    told = within(root, "check", "--no-bench", "--format", "json").ok().json
    assert told["entries"]["net"]["default"]["bytes"] == found["measured"]["bytes"]
    within(root, "report").ok()
    within(root, "inspect", "dist").ok()
    (tmp_path / "dist/assets" / found["stages"][1]["graph"]["file"]).write_bytes(b"no graph")
    within(root, "golden", "check", "--browser", "none").failed("MB422")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("split(at=['trunkk'])", 'did you mean "trunk"'),
        ("split(at=['early', 'late'])", ""),
        ("split(at=['late', 'trunk'])", '"trunk" is made before'),
        ("split(stages=60)", "which do not make 60 stages"),
    ],
)
def test_what_cannot_be_cut_is_told(tmp_path: Path, within: Within, steps: str, said: str) -> None:
    root = project(tmp_path, steps)
    ran = within(root, "build")
    if said:
        ran.failed("MB330", said)
    else:
        ran.ok()
