"""Every bad model through the real command line: told with its own code, and nothing else has happened.

All cases share one project with a good build in its output folder. A handful runs as a user's process does; the others
call `bundler.cli.run` in this process, and share the process that the children are forked from: 1 s each otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler import process
from bundler.catalogue import CATALOGUE
from fixtures import models

from .bad_models import BAD
from .cli import Within, configure, leftovers, run, tree

AS_A_PROCESS = ["empty-file", "html-page", "cycle-of-two", "external-climbs-out", "gate-stride-zero"]
AT_THE_CONFIG = {"file-missing", "link-to-nowhere", "folder-named-as-a-model", "fifo", "link-to-a-device"}
"""The source itself is no file: the config is judged before any model, with exit status 2."""


def project(root: Path, name: str) -> Path:
    """A good entry, its build in dist, and the bad model beside it."""
    app = root / name
    shutil.copytree(root / "good", app, symlinks=True)
    source = os.path.relpath(BAD[name][0](app), app)
    configure(app, f"'good': Entry(source='good.onnx'), 'bad': Entry(source={source!r})")
    return app


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    good = folder / "good"
    good.mkdir()
    models.save(models.mlp(), good / "good.onnx")
    configure(good, "'good': Entry(source='good.onnx')")
    run(good, "build").ok()
    return folder


@pytest.fixture(scope="module")
def warm() -> Iterator[None]:
    """One process to fork children from, for all builds of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bundler.process.stop", lambda: None)
        yield
    process.stop()


def test_there_are_enough() -> None:
    assert len(BAD) >= 100


@pytest.mark.parametrize("name", sorted(BAD))
@pytest.mark.usefixtures("warm")
def test_a_bad_model_is_told_and_changes_nothing(name: str, root: Path, within: Within) -> None:
    code = BAD[name][1]
    app = project(root, name)
    ran = (run if name in AS_A_PROCESS else within)(app, "build", "--json")
    assert ran.status == (2 if name in AT_THE_CONFIG else 1), ran.stderr
    told = json.loads(ran.stdout)
    assert (told["ok"], told["exitStatus"]) == (False, ran.status)
    first = told["problems"][0]
    if name not in AT_THE_CONFIG:
        assert first["code"] == code
        assert first["entry"] == "bad"
        assert first["file"] == "model.onnx"
    assert first["code"] in CATALOGUE
    assert first["what"]
    assert first["fix"]
    for problem in told["problems"]:
        assert f"error[{problem['code']}]" in ran.stderr
    assert ran.stderr.count("fix: ") == len(told["problems"])
    for secret in ("Traceback", "MB900", "\x1b"):
        assert secret not in ran.stderr
    assert tree(app / "dist") == tree(root / "good/dist")
    assert leftovers(app) == []
    shutil.rmtree(app)
