"""Pages whose policies or origins forbid things: each has a clean outcome, and what is loaded is verified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Playwright

from fixtures.real_models import path

from . import faults, project, real
from .conftest import ARGS, outcome
from .server import ISOLATED, Site
from .test_worker import got

pytestmark = [pytest.mark.browser, pytest.mark.models]

STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"
TRUSTED = STRICT + "; require-trusted-types-for 'script'; trusted-types 'none'"
MAIN = """
const violations = [];
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  violations.push(`${violatedDirective} ${blockedURI}`));
const attempt = async (worker) => {
  try {
    const { load } = await import("/dist/models.js");
    const it = await load("magika", { worker });
    const { target_label } = await it.run({ bytes: { data: new Int32Array(2048), dims: [1, 2048] } });
    return [it.info.worker, target_label.dims[1]];
  } catch (error) { return error.code ?? String(error); }
};
window.got = { page: await attempt(false), worker: await attempt(true), violations };
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project.build(tmp_path_factory.mktemp("policies"), {"magika": path("magika")}, ort="self")


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize(
    ("policy", "page", "worker"),
    [
        (STRICT, [False, 214], [True, 214]),
        (TRUSTED, [False, 214], [False, 214]),
        (STRICT.replace("worker-src 'self'", "worker-src 'none'"), [False, 214], [False, 214]),
        (STRICT.replace("'wasm-unsafe-eval'", ""), "ort", "ort"),
        (STRICT.replace("connect-src 'self'", "connect-src 'none'"), "network", "network"),
    ],
    ids=["strict", "trusted types", "no workers", "no wasm", "no connections"],
)
def test_a_policy(policy: str, page: Any, worker: Any, threads: bool, dist: Path, site: Site, visit: Any) -> None:
    site.mounts = {"/dist/": dist}
    site.pages = {"/main.js": MAIN, "/": '<!doctype html><script type="module" src="/main.js"></script>'}
    site.headers = {"Content-Security-Policy": policy, **(ISOLATED if threads else {})}
    found = got(visit())
    assert (found["page"], found["worker"]) == (page, worker)
    if policy == STRICT:
        assert found["violations"] == []


@pytest.fixture
def insecure(driver: Playwright, site: Site) -> Iterator[Page]:
    """A page on http://mbundle.test: no crypto.subtle, no caches, no locks."""
    browser = driver.chromium.launch(
        executable_path="/usr/bin/chromium", args=[*ARGS, "--host-resolver-rules=MAP mbundle.test 127.0.0.1"]
    )
    page = browser.new_page()
    page.goto(site.origin.replace("127.0.0.1", "mbundle.test"))
    assert page.evaluate("[isSecureContext, typeof caches, typeof crypto.subtle]") == [False, "undefined", "undefined"]
    yield page
    browser.close()


def test_an_insecure_origin_verifies_keeps_nothing_and_says_so_once(dist: Path, site: Site, insecure: Page) -> None:
    site.mounts["/dist/"] = dist
    warnings: list[str] = []
    insecure.on("console", lambda message: warnings.append(message.text) if message.type == "warning" else None)
    chunk = max((dist / "assets").glob("*.bin"), key=lambda file: file.name).name
    for fault, code in ((faults.corrupt, "integrity"), (faults.html, "html"), (faults.status(403), "http")):
        site.fail(chunk, fault)
        error = outcome(insecure, "await m.load('magika')")["error"]
        assert (error["code"], error["file"]) == (code, chunk)
        site.faults.clear()
    for _ in range(2):
        assert real.assert_native(insecure, "magika", entry="magika")["fromCache"] == 0
    assert len([text for text in warnings if "mbundle" in text]) == 1
    assert real.assert_native(insecure, "magika", entry="magika", options={"worker": True})["worker"]
