"""A wheel built from the tree works outside it: templates are inside, the command is there, a build is whole."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from fixtures import models

from . import dist
from .cli import ROOT, configure

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True, timeout=300)
    (found,) = folder.glob("mbundle-*.whl")
    return found


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`mbundle` of a fresh environment; what it depends on is lent by the one that runs the tests."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    lent = [path for path in sys.path if path.endswith("site-packages")]
    (site / "lent.pth").write_text("\n".join(lent))
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "-q", "--no-deps"]
    subprocess.run([*command, str(wheel)], check=True, timeout=300)
    return folder / "bin/mbundle"


def test_what_is_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    templates = [path for path in (ROOT / "templates").rglob("*") if path.is_file()]
    shipped = {f"bundler/_templates/{path.relative_to(ROOT / 'templates')}" for path in templates}
    assert shipped <= set(names)
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "bundler").rglob("*.py")}
    assert modules <= set(names)
    assert "bundler/py.typed" in names
    strangers = [name for name in names if not name.startswith(("bundler/", "mbundle-"))]
    assert strangers == []


def test_it_builds_outside_the_tree(program: Path, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def mbundle(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import bundler; print(bundler.__file__)"
    python = [program.parent / "python", "-c", where]
    origin = subprocess.run(python, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert not Path(origin.strip()).is_relative_to(ROOT)
    assert mbundle("--version").startswith("mbundle ")
    models.save(models.mlp(), tmp_path / "a.onnx")
    mbundle("init")
    assert "a.onnx" in (tmp_path / "model.config.py").read_text()
    mbundle("build")
    dist.check(tmp_path / "dist")
    configure(tmp_path, "'a': Entry(source='a.onnx', variants={'q8': [simplify(), quantize_dynamic()], 'fp32': []})")
    mbundle("build")
    dist.check(tmp_path / "dist")
    mbundle("inspect", "dist")
    mbundle("cache", "ls")
