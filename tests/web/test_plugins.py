"""The Vite and webpack plugins: real dev servers with models that are swapped in place, real builds in sub-paths and
from other origins."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext

from ..watching import watching
from . import plugins
from .server import Site, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RUNNING = "window.seen?.runs > 3"
CORS = {"Access-Control-Allow-Origin": "*"}
OVERLAY = "document.querySelector('mbundle-overlay')?.shadowRoot.textContent ?? ''"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return plugins.make(tmp_path / "app")


@pytest.mark.parametrize("bundler", ["vite", "vite7", "webpack"])
def test_a_running_page_gets_a_new_model_and_is_told_of_errors(
    bundler: str, app: Path, context: BrowserContext
) -> None:
    with plugins.serving(bundler, app, "/sub/" if bundler == "vite" else "/") as dev:
        page = context.new_page()
        fetched: list[str] = []
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(dev.url)
        page.wait_for_function(RUNNING, timeout=120_000)
        first = page.evaluate("window.seen")
        assert first["values"] == ["64.0000"]

        fetched.clear()
        plugins.save(app, 2.0)
        page.wait_for_function("window.seen.values.length > 1", timeout=60_000)
        page.wait_for_function("window.seen.updated === 1")
        after = page.evaluate("window.seen")
        assert after["values"] == ["64.0000", "128.0000"]
        assert (after["loaded"], after["failures"]) == (first["loaded"], [])
        files = [url.rsplit("/", 1)[1] for url in fetched if "/__mbundle/assets/" in url]
        assert len([name for name in files if name.endswith(".bin")]) == 1
        assert len(list((app / "mbundle-output" / "assets").glob("*.bin"))) > 10

        good = (app / "model.config.py").read_text()
        (app / "model.config.py").write_text(good.replace("source=", "sauce="))
        page.wait_for_function(f"({OVERLAY}).includes('sauce')", timeout=60_000)
        runs = page.evaluate("window.seen.runs")
        page.wait_for_function(f"window.seen.runs > {runs}")
        (app / "model.config.py").write_text(good)
        page.wait_for_function(f"({OVERLAY}) === ''", timeout=60_000)
        last = page.evaluate("window.seen")
        assert (last["loaded"], last["failures"]) == (first["loaded"], [])

        missing = page.request.get(f"{dev.url}__mbundle/assets/none.bin")
        assert missing.status == 404
        for path in ("assets/..%2fmodels.js", "assets/../models.js", "assets/.mbundle.json", "models.js"):
            assert page.request.get(f"{dev.url}__mbundle/{path}").status == 404

        page.reload()
        page.wait_for_function(RUNNING, timeout=60_000)
        assert page.evaluate("window.seen.values") == ["128.0000"]
        assert page.evaluate("window.one.load({ worker: true }).then((model) => model.info.worker)")

        family = dev.family()[1:]
        assert any("watch" in one.cmdline() for one in family)
        dev.kill()
        _, alive = psutil.wait_procs(family, 30)
        assert alive == []


@pytest.mark.parametrize("bundler", ["vite", "webpack"])
def test_a_first_build_that_fails_is_told_in_the_page_and_mended(
    bundler: str, app: Path, context: BrowserContext
) -> None:
    config = app / "model.config.py"
    good = config.read_text()
    config.write_text(good.replace("source=", "sauce="))
    with plugins.serving(bundler, app) as dev:
        page = context.new_page()
        page.goto(dev.url)
        overlay = page.locator("vite-error-overlay")
        if bundler == "webpack":
            overlay = page.frame_locator("#webpack-dev-server-client-overlay").locator("body")
        overlay.get_by_text("sauce").first.wait_for(timeout=60_000)
        config.write_text(good)
        page.wait_for_function(RUNNING, timeout=60_000)
        assert page.evaluate(OVERLAY) == ""


def test_a_watch_in_a_terminal_is_followed_and_outlived(app: Path, context: BrowserContext) -> None:
    with watching(app, ends=-9) as terminal, plugins.serving("vite", app) as dev:
        page = context.new_page()
        page.goto(dev.url)
        page.wait_for_function(RUNNING)
        plugins.save(app, 2.0)
        page.wait_for_function("window.seen.values.at(-1) === '128.0000'")
        assert len(terminal.starts()) == 2
        assert any(f"process {terminal.process.pid} watches this project" in line for line in dev.lines)
        terminal.process.kill()
        terminal.process.wait()
        plugins.save(app, 3.0)
        page.wait_for_function("window.seen.values.at(-1) === '192.0000'")
        assert page.evaluate("window.seen.failures") == []


@pytest.mark.parametrize("bundler", ["vite", "vite7", "webpack"])
def test_builds_below_a_sub_path_and_from_another_origin(
    bundler: str, app: Path, site: Site, chromium: Browser
) -> None:
    out = plugins.build(bundler, app, "/sub/path/")
    files = {path.name: digest(path) for path in (app / "mbundle-output" / "assets").iterdir()}
    assert {path.name: digest(path) for path in (out / "models" / "assets").iterdir()} == files
    emitted = [digest(path) for path in out.rglob("*") if path.is_file()]
    assert all(emitted.count(one) == 1 for name, one in files.items() if not name.startswith("manifest-"))
    assert not re.search("webpackHot|mbundle-overlay|EventSource", "".join(p.read_text() for p in out.rglob("*.js")))

    site.mounts = {"/sub/path/": out}
    answers(chromium, f"{site.origin}/sub/path/index.html")
    assert not [one for one in site.requests if not one.path.startswith(("/sub/path/", "/favicon"))]

    with serving(Site(headers=CORS)) as other:
        out = plugins.build(bundler, app, f"{other.origin}/cdn/")
        other.mounts = {"/cdn/": out}
        site.mounts, site.pages = {}, {"/": (out / "index.html").read_text()}
        answers(chromium, site.origin)
        assert other.asked(r"/models/assets/.*\.bin$")
        assert len(other.asked(r"\.wasm$")) == 1


@pytest.mark.parametrize("bundler", ["vite", "webpack"])
def test_without_python_a_build_says_so_or_takes_what_was_committed(bundler: str, app: Path) -> None:
    bare = {"PATH": str(Path(shutil.which("node") or "").parent), "HOME": str(app)}
    command = plugins.line(bundler, "build", app, "/")[: -len(plugins.COMMAND)]

    def build() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=bare, capture_output=True, text=True, timeout=300)

    done = build()
    assert done.returncode != 0
    assert "pip install mbundle" in done.stdout + done.stderr
    run = [*plugins.COMMAND, "build"]
    subprocess.run(run, cwd=app, env=plugins.environment(), check=True, capture_output=True, timeout=300)
    done = build()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "used as it is" in done.stdout + done.stderr
    assert list((app / "out" / "models" / "assets").glob("*.bin"))


def answers(chromium: Browser, url: str) -> None:
    """In a fresh profile, where nothing is stored."""
    page = chromium.new_page()
    page.goto(url)
    page.wait_for_function(RUNNING, timeout=60_000)
    seen: dict[str, Any] = page.evaluate("window.seen")
    assert (seen["values"], seen["failures"]) == (["64.0000"], [])
    page.close()


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
