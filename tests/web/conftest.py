"""Fixtures for tests that drive a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from .server import Site, serving

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
ORT = ROOT / "node_modules" / "onnxruntime-web" / "dist"
ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP insecure.test 127.0.0.1",
]
IMPORTS = {
    "imports": {
        "onnxruntime-web/wasm": "/ort/ort.wasm.bundle.min.mjs",
        "onnxruntime-web/webgpu": "/ort/ort.webgpu.bundle.min.mjs",
        "onnxruntime-web/jspi": "/ort/ort.jspi.bundle.min.mjs",
    }
}
BLANK = f'<!doctype html><title>test</title><script type="importmap">{json.dumps(IMPORTS)}</script>'


@pytest.fixture(scope="session")
def driver() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(driver: Playwright) -> Iterator[Browser]:
    browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
    yield browser
    browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh profile: nothing stored, nothing cached."""
    context = chromium.new_context()
    context.set_default_timeout(120_000)  # two slow cores that others use too
    yield context
    context.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Serves `tmp_path/dist` at /dist/ and onnxruntime-web at /ort/."""
    with serving(Site(mounts={"/dist/": tmp_path / "dist", "/ort/": ORT}, pages={"/": BLANK})) as site:
        yield site


@pytest.fixture
def visit(context: BrowserContext, site: Site) -> Iterator[Callable[..., Page]]:
    """Opens the site's page in a new tab; an error that nobody caught fails the test."""
    loose: list[str] = []

    def open_(path: str = "/") -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: loose.append(str(error)))
        page.goto(site.origin + path)
        return page

    yield open_
    assert loose == []


CATCH = """async ([script, argument]) => {
  const run = new Function("arg", "m", `return (async () => { ${script} })()`);
  try { return { value: await run(argument, window.models ?? (await import("/dist/models.js"))) }; }
  catch (error) { return { error: { name: error.name, code: error.code, message: error.message, fix: error.fix,
    entry: error.entry, file: error.file, status: error.status, stack: error.stack } }; }
}"""


def outcome(page: Page, script: str, argument: Any = None) -> dict[str, Any]:
    """Runs `script` (an async body with `m`, the module models.js, and `arg`): {"value"} or {"error"}.

    A bundled page has put the module into `window.models`.
    """
    result: dict[str, Any] = page.evaluate(CATCH, [script, argument])
    return result


def value(page: Page, script: str, argument: Any = None) -> Any:
    result = outcome(page, script, argument)
    assert "error" not in result, json.dumps(result, indent=1)
    return result["value"]


def until(page: Page, condition: str, argument: Any = None, seconds: float = 60) -> None:
    """Waits until the async function `condition` is true; `wait_for_function` takes a promise for true."""
    for _ in range(int(seconds * 20)):
        if page.evaluate(condition, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {condition}")


def apart(work: Callable[[], T]) -> T:
    """In a thread: Playwright refuses a second loop where the tests' own browser has one already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()
