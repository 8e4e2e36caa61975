"""`mbundle init --template`: what it writes runs as it is, is typed for the model found, and overwrites nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from fixtures import models

from . import plugins
from .server import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BUILDS = {"vanilla": [".venv/bin/mbundle", "build"], "vite": ["npx", "vite", "build"], "webpack": ["npx", "webpack"]}
LINKED = (
    *("onnxruntime-web", "typescript", "vite", "webpack", "webpack-cli", "webpack-dev-server"),
    *("html-webpack-plugin", ".bin"),
)


def scaffold(folder: Path, template: str) -> str:
    """An app whose node_modules are this repository's, and the package that `npm install` would link."""
    models.save(models.mlp(), folder / "scorer.onnx")
    done = mbundle(folder, "init", "--template", template)
    (folder / ".venv" / "bin").mkdir(parents=True)
    program = folder / ".venv" / "bin" / "mbundle"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bundler "$@"\n')
    program.chmod(0o755)
    (folder / "node_modules").mkdir()
    for name in LINKED:
        (folder / "node_modules" / name).symlink_to((plugins.ROOT / "node_modules" / name).resolve())
    if template != "vanilla":
        wanted = json.loads((folder / "package.json").read_text())["devDependencies"]["mbundle"]
        (folder / "node_modules" / "mbundle").symlink_to(folder / wanted.removeprefix("file:"))
    return done


def mbundle(folder: Path, *arguments: str) -> str:
    return run(folder, [sys.executable, "-m", "bundler", *arguments])


def run(folder: Path, command: list[str]) -> str:
    done = subprocess.run(command, cwd=folder, env=plugins.environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("template", list(BUILDS))
def test_the_app_works_and_is_typed(template: str, tmp_path: Path, site: Site, chromium: Browser) -> None:
    assert "npm run dev" in scaffold(tmp_path, template)
    run(tmp_path, BUILDS[template])
    run(tmp_path, ["node", "node_modules/typescript/bin/tsc", "-p", "jsconfig.json"])
    wrong = (tmp_path / "src" / "main.js").read_text().replace('load("scorer"', 'load("scorers"')
    (tmp_path / "src" / "main.js").write_text(wrong)
    refused = subprocess.run(
        ["node", "node_modules/typescript/bin/tsc", "-p", "jsconfig.json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert '"scorers"' in refused.stdout
    if template == "vanilla":
        (tmp_path / "src" / "main.js").write_text(wrong.replace("scorers", "scorer"))
    site.pages = {}
    site.mounts = {"/": tmp_path if template == "vanilla" else tmp_path / "dist"}
    page = chromium.new_page()
    page.goto(f"{site.origin}/index.html")
    page.click("#sample", timeout=60_000)
    page.wait_for_selector("td")
    assert page.text_content("tr:nth-child(2) th") == "y"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "index.html").symlink_to("elsewhere.html")
    models.save(models.mlp(), tmp_path / "scorer.onnx")
    told = mbundle(tmp_path, "init", "--template", "vite")
    assert "left as they were: index.html, package.json" in told
    assert (tmp_path / "package.json").read_text() == "{}"
    assert not (tmp_path / "elsewhere.html").exists()
    assert "wrote no file" in mbundle(tmp_path, "init", "-t", "vite")


def test_a_config_with_models_from_elsewhere_gets_the_package_alone(tmp_path: Path) -> None:
    (tmp_path / "model.config.py").write_text("from elsewhere import config")
    assert "mbundle-plugin/" in mbundle(tmp_path, "init", "--template", "vite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mbundle-plugin", "model.config.py"]
