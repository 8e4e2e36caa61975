"""The page of examples/filetype: a file is chosen, its type is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from fixtures import real_models

from .plugins import ROOT, environment
from .server import Site, serving
from .test_report import AXE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.models]

EXAMPLE = ROOT / "examples" / "filetype"
PACKAGE = "package:magika/magika/models/standard_v3_3/model.onnx"


def test_each_sample_is_what_its_name_says(tmp_path: Path, context: BrowserContext) -> None:
    app = tmp_path / "app"
    shutil.copytree(EXAMPLE, app, ignore=shutil.ignore_patterns("dist", "golden", ".mbundle"))
    (app / "node_modules").symlink_to((ROOT / "node_modules").resolve())
    (app / "magika.onnx").symlink_to(real_models.path("magika"))
    config = (app / "model.config.py").read_text().replace(PACKAGE, "magika.onnx")
    lines = [line for line in config.splitlines() if "samples import" not in line and "golden=" not in line]
    (app / "model.config.py").write_text("\n".join(lines))
    command = [sys.executable, "-m", "bundler", "build"]
    done = subprocess.run(command, cwd=app, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with serving(Site(mounts={"/": app})) as site:
        page = context.new_page()
        page.goto(f"{site.origin}/index.html")
        for sample, label in (("server.go", "go"), ("shop.sql", "sql"), ("primes.py", "python")):
            page.set_input_files("#file", app / "samples" / sample)
            page.wait_for_selector(f"#guesses li:first-child span:text-is('{label}')", timeout=60_000)
            assert page.inner_text("#name") == sample
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        assert [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")] == []
