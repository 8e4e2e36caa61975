"""Every bad model through the real command line: told with its own code, and nothing else has happened.

All cases share one project with a good build in its output folder. A handful runs as a user's process does; the others
call `bundler.cli.run` in forks of one process that has imported everything, two at a time, each on a copy of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pytest

from bundler.catalogue import CATALOGUE
from fixtures import models

from .bad_models import BAD
from .cli import Ran, configure, leftovers, run, tree

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


def within(app: Path, *arguments: str) -> Ran:
    """The command line in this process; `app` becomes its folder."""
    from bundler.cli import run as command

    os.chdir(app)
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = command(arguments)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return Ran(status, out.getvalue(), err.getvalue())


def attempt(root: Path, name: str, as_process: bool) -> tuple[Ran, dict[str, str], list[str]]:
    app = project(root, name)
    ran = run(app, "build", "--json") if as_process else within(app, "build", "--json")
    result = ran, tree(app / "dist"), leftovers(app)
    os.chdir(root)
    shutil.rmtree(app)
    return result


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
def results(root: Path) -> Iterator[dict[str, Future[tuple[Ran, dict[str, str], list[str]]]]]:
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(2, context) as pool:
        yield {name: pool.submit(attempt, root, name, name in AS_A_PROCESS) for name in sorted(BAD)}


def test_there_are_enough() -> None:
    assert len(BAD) >= 100


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_model_is_told_and_changes_nothing(name: str, root: Path, results) -> None:  # type: ignore[no-untyped-def]
    code = BAD[name][1]
    ran, output, left = results[name].result()
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
    assert output == tree(root / "good/dist")
    assert left == []
