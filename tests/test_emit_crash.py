"""Every write, fsync, rename, unlink and mkdir of a commit, failing or never returning: old or new, never a mix."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests import crash
from tests.emit_project import prepare, tree

pytestmark = pytest.mark.skipif(not crash.available(), reason="needs strace")


def command(project: Path, revision: int) -> list[str]:
    return [sys.executable, "-m", "tests.emit_project", str(project), str(revision)]


def build(project: Path, revision: int) -> None:
    subprocess.run(command(project, revision), check=True)


class Project:
    """A project built three times, so that the fourth build prunes; `before` and `after` are its output around that."""

    def __init__(self, folder: Path, revisions: int = 4) -> None:
        self.folder = folder / "project"
        self.log = folder / "log"
        self.folder.mkdir()
        self.dist = self.folder / "dist"
        prepare(self.folder, revisions)
        for revision in range(revisions - 1):
            build(self.folder, revision)
        self.command = command(self.folder, revisions - 1)
        self.command_before = command(self.folder, revisions - 2)
        self.saved = folder / "saved"
        self.fresh = not self.dist.exists()
        if not self.fresh:
            shutil.copytree(self.dist, self.saved)
        self.before = crash.generation(self.dist)
        self.points = crash.points(self.command, self.dist, self.log, env=crash.environment())
        self.after = crash.generation(self.dist)
        self.tree = tree(self.dist)

    def sweep(self, chosen: Sequence[crash.Point]) -> Iterator[crash.Outcome]:
        return crash.sweep(self.command, chosen, self.reset, self.log, env=crash.environment())

    def reset(self) -> None:
        shutil.rmtree(self.dist, ignore_errors=True)
        if not self.fresh:
            shutil.copytree(self.saved, self.dist)

    def check(self, outcome: crash.Outcome) -> None:
        dist, point = self.dist, str(outcome.point)
        assert crash.faults(dist) == [], point
        current = crash.generation(dist)
        assert current in (self.before, self.after), point
        if outcome.status == 0:
            assert current == self.after, point
        elif outcome.point.fault != "SIGKILL":
            assert outcome.status == 1, (point, outcome.stderr)
            assert "MB405" in outcome.stderr or "MB409" in outcome.stderr, (point, outcome.stderr)
            assert "Traceback" not in outcome.stderr, point
        if current == self.before and not self.fresh and outcome.point.number % 2:
            # What is there of the new build is of no use to this one: it has to go.
            subprocess.run(self.command_before, check=True)
            assert tree(dist) == tree(self.saved), point
        else:
            subprocess.run(self.command, check=True)
            assert tree(dist) == self.tree, point


@pytest.mark.parametrize("revisions", [1, 4], ids=["first build", "later build"])
def test_a_sample_of_the_sweep(tmp_path: Path, revisions: int) -> None:
    project = Project(tmp_path, revisions)
    for outcome in project.sweep(project.points[revisions::31]):
        project.check(outcome)


@pytest.mark.slow
@pytest.mark.parametrize("revisions", [1, 4], ids=["first build", "later build"])
def test_every_call_with_one_fault(tmp_path: Path, revisions: int) -> None:
    """With MBUNDLE_SWEEP=whole, every call with every fault. `test_build_crash` sweeps whole builds."""
    project = Project(tmp_path, revisions)
    assert len(project.points) >= 150
    for outcome in project.sweep(crash.chosen(project.points)):
        project.check(outcome)


def test_names_come_after_bytes(tmp_path: Path) -> None:
    """From the trace of a commit: each file is on the disk before it is renamed, each folder before the next step."""
    project = Project(tmp_path, 2)
    project.reset()
    traced = ["strace", "-f", "-y", "-o", str(project.log), "-e", "trace=fsync,rename,renameat,renameat2,unlink"]
    subprocess.run([*traced, *project.command], check=True)
    synced: set[str] = set()
    unsynced_folders: set[str] = set()
    last = ""
    for line in project.log.read_text().splitlines():
        _, call = line.split(maxsplit=1)
        paths = [part.split('"')[0] for part in call.split('"')[1::2]]
        if call.startswith("fsync"):
            path = call[call.index("<") + 1 : call.index(">")]
            synced.add(path)
            unsynced_folders.discard(path)
        elif call.startswith("rename") and str(project.dist) in call:
            assert paths[0] in synced, call
            folder = str(Path(paths[1]).parent)
            if folder != last:
                assert not unsynced_folders, call
            if paths[1].endswith("dist/model-manifest.json"):
                assert not unsynced_folders, call
            unsynced_folders.add(folder)
            last = folder
    assert not unsynced_folders
