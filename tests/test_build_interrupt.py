"""Ctrl-C and SIGTERM: exit status 130, within seconds, and nothing is left behind: no process, no file, no lock."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from fixtures import models

from . import dist
from .cli import command, configure, environment, leftovers, run, tree

SLOW = """
import time
def slow(model):
    open("/{mark}", "w").close()
    while True:
        time.sleep(0.05)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A project with a good build in dist, and then a loader that never ends and says when it began."""
    models.save(models.mlp(), tmp_path / "a.onnx")
    configure(tmp_path, "'a': Entry(source='a.onnx')")
    run(tmp_path, "build").ok()
    configure(tmp_path, "'a': Entry(source='a.onnx', use=[simplify(), slow]), 'b': Entry(source='a.onnx')")
    text = (tmp_path / "model.config.py").read_text()
    (tmp_path / "model.config.py").write_text(SLOW.replace("/{mark}", str(tmp_path / "began")) + text)
    return tmp_path


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["at once", "in the config", "in a loader"])
def test_an_interrupted_build_leaves_nothing(app: Path, how: signal.Signals, when: str) -> None:
    before = tree(app / "dist")
    with subprocess.Popen(
        command("build", "--json"), cwd=app, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as build:
        wait(app, build, when)
        family = psutil.Process(build.pid).children(recursive=True)
        build.send_signal(how)
        started = time.monotonic()
        stdout, stderr = build.communicate(timeout=120)
    assert time.monotonic() - started < 10
    if when != "at once":
        assert build.returncode == 130, stderr
        assert b"error[MB190]" in stderr
        assert b'"exitStatus": 130' in stdout
    assert b"bundler" not in stderr.partition(b"Traceback")[2], "the interpreter's own start may be interrupted"
    assert tree(app / "dist") == before
    assert leftovers(app) == []
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    configure(app, "'a': Entry(source='a.onnx', use=[simplify()])")
    run(app, "build").ok()
    dist.check(app / "dist")


def wait(app: Path, build: subprocess.Popen[bytes], when: str) -> None:
    if when == "at once":
        time.sleep(0.15)
        return
    end = time.monotonic() + 30
    while time.monotonic() < end and build.poll() is None:
        if when == "in the config" and psutil.Process(build.pid).children():
            return
        if (app / "began").exists():
            return
        time.sleep(0.01)
    raise AssertionError("the build did not get that far")


def test_a_build_whose_parent_is_killed_leaves_no_process(app: Path) -> None:
    """SIGKILL cannot be handled: the children notice that their build is gone."""
    build = subprocess.Popen(command("build"), cwd=app, env=environment(), stderr=subprocess.DEVNULL)
    wait(app, build, "in a loader")
    family = psutil.Process(build.pid).children(recursive=True)
    os.kill(build.pid, signal.SIGKILL)
    build.wait()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    configure(app, "'a': Entry(source='a.onnx', use=[simplify()])")
    run(app, "build").ok()
    dist.check(app / "dist")
    assert leftovers(app) == []


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_build_that_ends_amid_its_chunks(how: signal.Signals, tmp_path: Path) -> None:
    models.save(models.mlp(), tmp_path / "a.onnx")
    configure(tmp_path, "'a': Entry(source='a.onnx')")
    run(tmp_path, "build").ok()
    before = tree(tmp_path / "dist")
    models.save_huge(tmp_path, gib=1.5)
    configure(tmp_path, "'a': Entry(source='huge.onnx')")
    with subprocess.Popen(command("build"), cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL) as build:
        end = time.monotonic() + 60
        while not list((tmp_path / "dist").glob(".tmp*/*")) and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.3)
        build.send_signal(how)
    if how == signal.SIGINT:
        assert build.returncode == 130
        assert leftovers(tmp_path) == []
        assert tree(tmp_path / "dist") == before
    configure(tmp_path, "'a': Entry(source='a.onnx')")
    run(tmp_path, "build").ok()
    assert leftovers(tmp_path) == []
    assert tree(tmp_path / "dist") == before
    (tmp_path / "huge.bin").unlink()
