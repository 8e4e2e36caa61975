"""`mbundle serve` as a developer runs it: she edits, and the page that is open uses the new model."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.cli import command, environment

from . import project
from .conftest import ROOT, until
from .test_dev import LOOP
from .test_update import model

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MAIN = (
    LOOP.replace('"/models.js"', '"/public/models/models.js"').replace("ort, ", "").replace("const ort", "// const ort")
)
PAGE = '<!doctype html><title>app</title><script type="module" src="/main.js"></script>'
CONFIG = project.CONFIG.replace('dir="dist"', 'dir="public/models"')


@dataclass
class Serving:
    process: subprocess.Popen[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self.news:
                self.events.append(json.loads(line))
                self.news.notify_all()

    def await_(self, kind: str, after: int = 0) -> dict[str, Any]:
        """The first event of a kind from the `after`th on."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.events[after:] if event["type"] == kind), None)

        with self.news:
            assert self.news.wait_for(found, 90), self.events
            event = found()
        assert event
        return event


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    (tmp_path / "it.onnx").write_bytes(model(None).SerializeToString())
    configure(tmp_path, "")
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "main.js").write_text(MAIN)
    arguments = command("watch", "--serve", "--json", "--exit-with-stdin")
    with subprocess.Popen(
        arguments, cwd=tmp_path, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        serving = Serving(process)
        reader = threading.Thread(target=serving.read)
        reader.start()
        yield serving
        assert process.stdin
        process.stdin.close()
        assert process.wait(30) == 0
        reader.join()


def configure(folder: Path, use: str) -> None:
    entries = f"'it': Entry(source='it.onnx', use=[{use}])"
    (folder / "model.config.py").write_text(CONFIG.format(entries=entries, base="./", ort="self"))


def test_an_edit_reaches_the_page_that_is_open(serving: Serving, tmp_path: Path, context: BrowserContext) -> None:
    listening = serving.await_("listening")
    assert listening["base"] == "/public/models/"
    serving.await_("model-update")
    page = context.new_page()
    page.goto(listening["url"])
    until(page, "async () => window.seen?.runs > 5", seconds=60)

    before = len(serving.events)
    (tmp_path / "it.onnx").write_bytes(model(5).SerializeToString())
    assert serving.await_("model-update", before)["entries"] == ["it"]
    until(page, "async () => seen.updates.length === 1 && seen.values.length === 2", seconds=30)

    before = len(serving.events)
    configure(tmp_path, "quantise_weights()")
    (problem,) = serving.await_("error", before)["problems"]
    overlay = page.locator("mbundle-overlay")
    overlay.wait_for(state="attached")
    shown = overlay.locator(".panel").inner_text()
    assert problem["what"] in shown
    assert problem["fix"] in shown
    assert "quantise_weights" in shown
    configure(tmp_path, "")
    overlay.wait_for(state="detached")
    assert page.evaluate("[seen.errors, mark]") == [[], "never reloaded"]
    assert "__mbundle" not in (tmp_path / "public/models/models.js").read_text()
