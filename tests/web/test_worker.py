"""`worker: true` is the same API with the page's thread free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from . import dist, faults
from .conftest import BLANK, outcome, value
from .server import ISOLATED, Site
from .test_choice import ONE, scale, unknown_op

pytestmark = pytest.mark.browser


@pytest.fixture
def manifest(tmp_path: Path) -> dict[str, Any]:
    return dist.build(tmp_path / "dist", {"it": {"fp32": scale(3)}, "odd": {"fp32": unknown_op()}})


IN_WORKER = {"worker": True}


def test_a_model_in_a_worker_answers_as_one_in_the_page(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    page = visit()
    got = value(page, ONE, IN_WORKER)
    assert (got["worker"], got["variant"], got["y"]) == (True, "fp32", 6)
    assert len(page.workers) == 1
    assert not any("InferenceSession" in str(name) for name in page.evaluate("Object.keys(globalThis)"))


def test_progress_errors_and_disposal_cross(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    page = visit()
    script = """
      const told = [];
      const it = await m.load("it", { worker: true, onProgress: (p) => told.push(p) });
      const feeds = { x: new Float32Array(2048).fill(1) };
      const both = await Promise.all([it.run(feeds), it.run(feeds)]);
      const wrong = await it.run({ y: [1] }).catch((error) => error);
      const odd = await m.load("odd", { worker: true }).catch((error) => error);
      await it.dispose();
      const late = await it.run(feeds).catch((error) => error);
      return { told, sums: both.map(({ y }) => y.data[2047]), kept: feeds.x.length, dims: both[0].y.dims,
        codes: [wrong, odd, late].map((e) => [e instanceof m.MbundleError, e.code, e.entry]), text: odd.message };
    """
    seen = value(page, script)
    assert seen["told"][-1]["phase"] == "ready"
    assert seen["sums"] == [3, 3]
    assert (seen["kept"], seen["dims"]) == (2048, [2, 1024])
    assert seen["codes"] == [[True, "feeds", "it"], [True, "session", "odd"], [True, "disposed", "it"]]
    assert "NoSuchOperator" in seen["text"]
    page.wait_for_timeout(300)
    assert page.workers == []  # gone with the last model: the wasm heap is given back
    assert value(page, ONE, IN_WORKER)["worker"]


def test_an_abort_crosses(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    site.fail(r"\.bin", faults.stall_in_body)
    page = visit()
    script = "await m.load('it', { worker: true, signal: AbortSignal.timeout(700) })"
    assert outcome(page, script)["error"]["name"] == "TimeoutError"
    site.faults.clear()
    assert value(page, ONE, IN_WORKER)["y"] == 6


@pytest.mark.parametrize(
    "policy",
    [
        "worker-src 'none'",
        "require-trusted-types-for 'script'; trusted-types 'none'",
    ],
)
def test_where_no_worker_may_start_the_page_does_the_work(
    policy: str, manifest: dict[str, Any], visit: Any, site: Site
) -> None:
    strict = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; "
    site.pages["/main.js"] = MAIN
    site.pages["/strict.html"] = '<!doctype html><script type="module" src="/main.js"></script>'
    for isolated in ({}, ISOLATED):
        site.headers = {"Content-Security-Policy": strict + policy, **isolated}
        page = visit("/strict.html")
        assert got(page) == {"worker": False, "y": 6}
        page.close()


def got(page: Page) -> Any:
    """What MAIN came to. Under a policy without eval `wait_for_function` cannot wait."""
    for _ in range(300):
        found = page.evaluate("window.got")
        if found is not None:
            return found
        page.wait_for_timeout(100)
    raise AssertionError("nothing came")


MAIN = """
import { load, setBase } from "/dist/models.js";
const ort = { wasm: "/ort/ort.wasm.bundle.min.mjs" };
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
try {
  const it = await load("it", { worker: window.name !== "main", ort });
  const { y } = await it.run({ x: new Float32Array(1024).fill(2) });
  window.got = { worker: it.info.worker, y: y.data[3] };
} catch (error) { window.got = String(error); }
"""


@pytest.mark.parametrize("types", ["", "; require-trusted-types-for 'script'; trusted-types 'none'"])
def test_a_strict_policy_is_kept(types: str, manifest: dict[str, Any], visit: Any, site: Site) -> None:
    policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'" + types
    site.pages["/main.js"] = MAIN.replace('window.name !== "main"', "false" if types else "true")
    site.pages["/strict.html"] = '<!doctype html><script type="module" src="/main.js"></script>'
    site.headers = {"Content-Security-Policy": policy}
    page = visit("/strict.html")
    assert got(page) == {"worker": not types, "y": 6}
    assert page.evaluate("window.violations") == []


def test_isolated_pages_get_threads(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    site.headers = ISOLATED
    site.pages["/"] = BLANK
    got = value(visit(), "await 0; const i = crossOriginIsolated; " + ONE.replace("return {", "return { i,"), IN_WORKER)
    assert (got["i"], got["y"], got["worker"]) == (True, 6, True)
