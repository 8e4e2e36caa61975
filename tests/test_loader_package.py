"""mbundle init --loader: the package installs, its tests pass, and a build takes the loader by its name."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from fixtures import models

from .cli import ROOT, environment, run


def test_a_name_that_no_config_could_import_is_refused(tmp_path: Path) -> None:
    why = {"Round": "could not import", "class": "could not import", "../up": "could not import"}
    for name, reason in {**why, "simplify": "already", "registry": "already"}.items():
        refused = run(tmp_path, "init", "--loader", name)
        assert refused.status == 2
        assert "error[MB153]" in refused.stderr
        assert reason in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/README.md").write_text("mine")
    said = run(tmp_path, "init", "--loader", "round_weights", "own").ok().stderr
    assert "left as they were: README.md" in said
    assert (tmp_path / "own/README.md").read_text() == "mine"
    assert "class RoundWeights:" in (tmp_path / "own/src/mbundle_round_weights/loader.py").read_text()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a fresh environment with the package in it; mbundle itself and what it needs are lent."""
    folder = tmp_path_factory.mktemp("author")
    run(folder, "init", "--loader", "round_weights").ok()
    package = folder / "mbundle-round-weights"
    assert not [path for path in package.rglob("*") if path.suffix == ".txt"]
    venv.create(folder / "venv", with_pip=False)
    (site,) = folder.glob("venv/lib/python*/site-packages")
    lent = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    (site / "lent.pth").write_text("\n".join(lent))
    found = folder / "venv/bin/python"
    install = [sys.executable, "-m", "pip", "--python", str(found), "install", "-q", "--no-deps", str(package)]
    subprocess.run(install, check=True, timeout=300)
    return found


def at(python: Path, folder: Path, *arguments: str) -> str:
    """One command of that environment, which must succeed; what it printed."""
    bare = {key: value for key, value in environment().items() if not key.startswith("PYTHON")}
    command = [str(python), *arguments]
    done = subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_its_own_tests_pass(python: Path) -> None:
    package = python.parents[2] / "mbundle-round-weights"
    said = at(python, package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    assert " passed" in said
    assert "failed" not in said


@pytest.mark.slow
def test_a_build_takes_it_by_its_name(python: Path, tmp_path: Path) -> None:
    brotli = pytest.importorskip("brotli")
    models.save(models.mlp(width=256), tmp_path / "net.onnx")
    config = """from bundler import Entry, define_config
from bundler.loaders import round_weights

config = define_config(entries={"net": Entry(source="net.onnx", variants={"few": [round_weights(bits=6)], "all": []})})
"""
    (tmp_path / "model.config.py").write_text(config)
    at(python, tmp_path, "-m", "bundler", "build")
    chunks = [path.read_bytes() for path in (tmp_path / "dist").rglob("*.bin")]
    assert len(chunks) >= 2
    shares = sorted(len(brotli.compress(chunk, quality=5)) / len(chunk) for chunk in chunks)
    assert shares[0] < 0.6
    assert shares[-1] > 0.9
    wrong = config.replace("bits=6", "bits=60")
    (tmp_path / "model.config.py").write_text(wrong)
    bare = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    command = [str(python), "-m", "bundler", "build"]
    done = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error[MB113]" in done.stderr
    assert "`bits` of round_weights" in done.stderr
