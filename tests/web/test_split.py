"""A split model in Chromium: the same answers, and only the stages that somebody needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import models
from tests import dist
from tests.cli import configure, run

from .conftest import outcome, until, value
from .server import Site

pytestmark = pytest.mark.browser

ASK = """
  const pair = ([name, { data, dims }]) => [name, [dims, Array.from(data)]];
  const plain = (out) => Object.fromEntries(Object.entries(out).map(pair));
  const feeds = { x: { data: Float32Array.from(arg.x), dims: arg.dims } };
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("split")
    models.save(models.headed(), root / "net.onnx")
    cut = "split(at=['trunk', 'early'])"
    variants = f"variants={{'first': [{cut}], 'second': [simplify(), split(stages=2)]}}"
    configure(root, f"'net': Entry(source='net.onnx', use=[{cut}]), 'pair': Entry(source='net.onnx', {variants})")
    run(root, "build").ok()
    return root


@pytest.fixture(autouse=True)
def mounted(built: Path, tmp_path: Path) -> None:
    (tmp_path / "dist").symlink_to(built / "dist")


@pytest.fixture(scope="module")
def stages(built: Path) -> list[dict[str, Any]]:
    """Of "net": {"files": names of what it alone downloads, "bytes"} each."""
    variant = dist.manifest(built / "dist")["entries"]["net"]["variants"][0]
    files = {data["path"]: data["chunks"] for data in variant["data"]}
    found = []
    for stage in variant["stages"]:
        held = [stage["graph"], *(chunk for path in stage["data"] for chunk in files[path])]
        found.append({"files": {file["file"] for file in held}, "bytes": sum(file["bytes"] for file in held)})
    return found


@pytest.fixture
def given() -> dict[str, Any]:
    x = models.noise(5, 3, 64)
    return {"x": x.ravel().tolist(), "dims": [3, 64]}


def fetched(site: Site) -> set[str]:
    return {request.path.split("/")[-1] for request in site.asked("/assets/")}


def expected(built: Path, given: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    return dist.outputs(built / "net.onnx", {"x": np.array(given["x"], np.float32).reshape(given["dims"])})


@pytest.mark.parametrize("options", [{}, {"release": True}, {"worker": True}, {"worker": True, "release": True}])
def test_all_outputs_as_the_whole_model_gives_them(
    built: Path, given: dict[str, Any], visit: Any, site: Site, options: dict[str, Any], stages: list[dict[str, Any]]
) -> None:
    script = f"""{ASK}
      const told = [];
      const model = await m.load("net", {{ ...arg.options, onProgress: (p) => told.push(p) }});
      const both = await Promise.all([model.run(feeds), model.run(feeds, {{ outputs: ["late"] }})]);
      const again = await model.run(feeds);
      await model.dispose();
      const late = await model.run(feeds).catch((error) => error.code);
      return {{ all: plain(both[0]), one: plain(both[1]), again: plain(again), told, late, info: model.info }};
    """
    page = visit()
    seen = value(page, script, given | {"options": options})
    for name, whole in expected(built, given).items():
        for got in (seen["all"], seen["again"]):
            assert got[name][0] == list(whole.shape)
            assert np.abs(np.array(got[name][1]) - whole.ravel()).max() <= 1e-5
    assert list(seen["one"]) == ["late"]
    assert seen["one"]["late"] == seen["all"]["late"]
    assert seen["late"] == "disposed"
    assert seen["info"]["worker"] == bool(options.get("worker"))
    steps = seen["told"]
    assert [one["loaded"] for one in steps] == sorted(one["loaded"] for one in steps)
    assert steps[-1]["phase"] == "ready"
    assert steps[-1]["loaded"] == steps[-1]["total"] == sum(stage["bytes"] for stage in stages)
    assert all(one["entry"] == "net" for one in steps)


def test_a_stage_that_nobody_asks_for_is_never_fetched(
    built: Path, given: dict[str, Any], visit: Any, site: Site, stages: list[dict[str, Any]]
) -> None:
    page = visit()
    value(page, "window.model = await m.load('net')")
    assert not fetched(site) & (stages[1]["files"] | stages[2]["files"])  # no output needs both
    early = value(page, f"{ASK} return plain(await window.model.run(feeds, {{ outputs: ['early'] }}))", given)
    assert list(early) == ["early"]
    assert stages[0]["files"] | stages[1]["files"] <= fetched(site)
    assert not fetched(site) & stages[2]["files"]
    late = value(page, f"{ASK} return plain(await window.model.run(feeds, {{ outputs: ['late'] }}))", given)
    assert np.abs(np.array(late["late"][1]) - expected(built, given)["late"].ravel()).max() <= 1e-5
    assert stages[2]["files"] <= fetched(site)
    wrong = outcome(page, f"{ASK} return window.model.run(feeds, {{ outputs: ['middle'] }})", given)["error"]
    assert (wrong["code"], "The outputs are early, late" in wrong["message"]) == ("feeds", True)
    lacking = outcome(page, "return window.model.run({}, { outputs: ['late'] })")["error"]
    assert (lacking["code"], "missing: x" in lacking["message"]) == ("feeds", True)


def test_outputs_named_to_load_and_preload_are_all_that_comes(
    given: dict[str, Any], visit: Any, site: Site, stages: list[dict[str, Any]]
) -> None:
    page = visit()
    value(page, "await m.preload('net', { outputs: ['late'] })")
    assert not fetched(site) & stages[1]["files"]
    before = len(site.asked("/assets/"))
    script = f"""{ASK}
      const model = await m.load('net', {{ outputs: ['late'] }});
      return [Object.keys(await model.run(feeds)), model.info.downloaded];
    """
    assert value(page, script, given) == [["late"], 0]
    assert len(site.asked("/assets/")) == before


def test_a_trial_run_takes_no_stage_that_nobody_asks_for(
    given: dict[str, Any], visit: Any, site: Site, stages: list[dict[str, Any]]
) -> None:
    """Of several variants the first is tried before the app gets it."""
    info = value(visit(), "return (await m.load('pair')).info")
    assert (info["variant"], info["skipped"]) == ("first", [])
    assert not fetched(site) & (stages[1]["files"] | stages[2]["files"])


def test_an_abort_ends_what_is_on_its_way_and_a_later_run_begins_anew(
    given: dict[str, Any], visit: Any, site: Site, stages: list[dict[str, Any]]
) -> None:
    page = visit()
    site.rate = 100 << 10
    script = f"""{ASK}
      const controller = new AbortController();
      const model = await m.load("net", {{ outputs: ["early"], signal: controller.signal }});
      const running = model.run(feeds).catch((error) => error);
      controller.abort(new Error("enough"));
      return [(await running).message, Object.keys(await model.run(feeds))];
    """
    assert value(page, script, given) == ["enough", ["early"]]
    page.close()
    other = visit()
    value(
        other, "await m.clearCache(); const model = await m.load('net', { outputs: ['early'] }); await model.dispose();"
    )
    wait = "await new Promise((resolve) => setTimeout(resolve, 1000))"
    value(other, wait)  # for what the browser had sent before
    before = len(site.begun)
    value(other, wait)
    assert site.begun[before:] == []  # disposing ends the fetches


def test_a_stage_that_is_missing_fails_the_runs_that_need_it(
    built: Path, given: dict[str, Any], visit: Any, site: Site, stages: list[dict[str, Any]]
) -> None:
    page = visit()
    victim = next(iter(stages[2]["files"] - stages[0]["files"]))
    away = built / "dist/assets" / victim
    content = away.read_bytes()
    away.unlink()
    try:
        value(page, "window.model = await m.load('net')")
        bad = outcome(page, f"{ASK} return window.model.run(feeds)", given)["error"]
        assert (bad["name"], bad["code"] in ("http", "stale-build"), bad["entry"]) == ("MbundleError", True, "net")
        assert value(page, f"{ASK} return Object.keys(await window.model.run(feeds, {{ outputs: ['early'] }}))", given)
    finally:
        away.write_bytes(content)
    assert value(page, f"{ASK} return Object.keys(await window.model.run(feeds))", given) == ["early", "late"]


def test_its_files_are_stored_and_kept(given: dict[str, Any], visit: Any, stages: list[dict[str, Any]]) -> None:
    page = visit()
    value(page, f"{ASK} await (await m.load('net')).run(feeds)", given)
    count = len(set().union(*(stage["files"] for stage in stages))) + 1
    until(page, "async (count) => (await (await caches.open('mbundle-1')).keys()).length >= count", count, 60)
    page.wait_for_timeout(1500)  # what nobody names is gone by then
    info = value(visit(), f"{ASK} const it = await m.load('net'); await it.run(feeds); return it.info", given)
    assert info["downloaded"] == 0
