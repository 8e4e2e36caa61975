"""A page on a real build works as it is, through Vite and through webpack, with nothing configured but the base."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.real_models import path

from . import project, real
from .conftest import ORT, ROOT
from .server import Site, serving

pytestmark = [pytest.mark.browser, pytest.mark.models]

APPS = Path(__file__).parent / "apps"
MODELS = ("magika", "ppocr-rec")
CORS = {"Access-Control-Allow-Origin": "*"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an app, its node_modules and mbundle's output."""
    folder = tmp_path_factory.mktemp("app")
    project.build(folder, {name: path(name) for name in MODELS})
    shutil.copy(APPS / "main.js", folder)
    return folder


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with onnxruntime-web in the output: what works from another origin too, where onnxruntime-web's own
    bundle looks for a file that no bundler emits."""
    folder = tmp_path_factory.mktemp("complete")
    project.build(folder, {"magika": path("magika")}, ort="self")
    shutil.copy(APPS / "main.js", folder)
    return folder


@pytest.fixture
def other() -> Iterator[Site]:
    """A second origin, whose files any page may read."""
    with serving(Site(headers=CORS)) as site:
        yield site


def bundled(bundler: str, app: Path, base: str) -> tuple[Path, str]:
    """The bundler's output folder and its warnings."""
    out = app / f"out-{bundler}-{hashlib.sha256(base.encode()).hexdigest()[:6]}"
    command = ["node", str(APPS / "build.mjs"), bundler, str(app), str(out), base]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_a_plain_page_gives_what_native_gives(app: Path, visit: Any, site: Site) -> None:
    site.mounts["/"] = app
    for name in MODELS:
        real.assert_native(visit(), name, entry=name)


@pytest.mark.parametrize("bundler", ["vite", "webpack"])
def test_a_bundled_page_below_a_sub_path(bundler: str, app: Path, visit: Any, site: Site) -> None:
    out, warnings = bundled(bundler, app, "/sub/path/")
    assert warnings == ""
    assert_emitted_once(app / "dist" / "assets", out)
    site.mounts = {"/sub/path/": out}
    page = visit("/sub/path/index.html")
    page.wait_for_function("window.models")
    for name in MODELS:
        real.assert_native(page, name, entry=name)
    assert not [request for request in site.requests if not request.path.startswith("/sub/path/")][1:]  # favicon


@pytest.mark.parametrize("bundler", ["vite", "webpack"])
def test_a_bundled_page_with_its_files_on_another_origin(
    bundler: str, complete: Path, visit: Any, site: Site, other: Site
) -> None:
    out, _ = bundled(bundler, complete, f"{other.origin}/cdn/")
    other.mounts = {"/cdn/": out}
    site.mounts, site.pages = {}, {"/": (out / "index.html").read_text()}
    page = visit()
    page.wait_for_function("window.models")
    real.assert_native(page, "magika", entry="magika")
    assert len(other.asked(r"\.bin$")) > 3
    assert len(other.asked(r"\.wasm$")) == 1


def test_a_base_in_the_config_serves_the_files_from_there(tmp_path: Path, visit: Any, site: Site, other: Site) -> None:
    other.mounts = {"/models/": project.build(tmp_path, {"magika": path("magika")}, base=f"{other.origin}/models/")}
    real.assert_native(visit(), "magika", entry="magika")
    assert not site.asked("/assets/")


def assert_emitted_once(assets: Path, out: Path) -> None:
    """Each file of ours, and each wasm of onnxruntime-web that is used, is in the output, byte for byte, one time."""
    emitted = Counter(digest(file) for file in out.rglob("*") if file.is_file())
    ours = [digest(file) for file in assets.iterdir()]
    wasm = [digest(ORT / f"ort-wasm-simd-threaded{kind}.wasm") for kind in ("", ".asyncify")]
    assert [emitted[each] for each in ours + wasm] == [1] * len(ours + wasm)


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
