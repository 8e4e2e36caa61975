"""Real builds by the command line, broken off at their writes, fsyncs, renames, unlinks and mkdirs.

Output, cache and remembered state are all swept, with a cold and with a warm cache: each call with one fault in turn
(`crash.rotated`), or with MBUNDLE_SWEEP=whole each call with every fault.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from fixtures import models

from . import crash
from .cli import Ran, command, configure, environment, leftovers, run, tree

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not crash.available(), reason="needs strace")]

REMOVALS = ("unlink", "unlinkat", "rmdir")
OUTPUT = ("MB405", "MB409", "MB309", "MB196")
"""What a build says that could not write its output, or nothing to work with, or could not say that on stdout."""
ENTRIES = "'tied': Entry(source='tied.onnx', use=[simplify()]), 'plain{0}': Entry(source='plain{0}.onnx')"


class Project:
    """An app whose last revision is about to be built: `cold`, in a fresh clone; else after all others, and with a
    cache that has seen it, so that the build prunes and finds its step.
    """

    def __init__(self, folder: Path, cold: bool) -> None:
        self.app, self.saved, self.log = folder / "app", folder / "saved", folder / "log"
        self.app.mkdir()
        self.dist, self.cache = self.app / "dist", self.app / ".mbundle/cache"
        models.save(models.tied_model(words=100), self.app / "tied.onnx")
        for revision in range(3):
            models.save(models.mlp(revision, layers=3), self.app / f"plain{revision}.onnx")
        time.sleep(2.1)  # until the sources are old enough for the cache to remember their digests: see fingerprint.py
        if cold:
            self.configure(2)
        else:
            self.build_all()
        shutil.copytree(self.app, self.saved)
        self.before = crash.generation(self.dist)
        self.command = command("build", "--json", "--jobs", "1")
        self.how = {"cwd": self.app, "env": crash.environment(environment())}
        self.reset()
        self.points = crash.points(self.command, self.app, self.log, **self.how)
        self.after, self.tree = crash.generation(self.dist), tree(self.dist)
        assert leftovers(self.app) == []
        self.seen: set[frozenset[tuple[str, str]]] = set()

    def build_all(self) -> None:
        """The last revision first, in another folder: only the cache shall know it."""
        for revision, out in ((2, "elsewhere"), (0, "dist"), (1, "dist"), (2, "dist")):
            self.configure(revision, out)
            if self.dist.exists() and revision == 2:
                break
            run(self.app, "build").ok()
        shutil.rmtree(self.app / "elsewhere")

    def configure(self, revision: int, out: str = "dist") -> None:
        configure(self.app, ENTRIES.format(revision), f"output=Output(dir='{out}')")

    def reset(self) -> None:
        for name in ("dist", ".mbundle"):
            shutil.rmtree(self.app / name, ignore_errors=True)
            if (self.saved / name).exists():
                shutil.copytree(self.saved / name, self.app / name)

    def check(self, outcome: crash.Outcome) -> None:
        point = str(outcome.point)
        assert not (wrong := crash.faults(self.dist)), (point, wrong)
        found = crash.cache_faults(self.cache)
        assert found == [], (point, found)
        current = crash.generation(self.dist)
        assert current in (self.before, self.after), point
        if outcome.point.fault != "SIGKILL" or outcome.status != -9:
            self.check_told(outcome, current)
        state = frozenset(crash.state(self.app).items())
        if state not in self.seen:
            self.check_next(point)
            self.seen.add(state)

    def check_told(self, outcome: crash.Outcome, current: str) -> None:
        point = (str(outcome.point), outcome.stdout, outcome.stderr)
        told = Ran(outcome.status, outcome.stdout, outcome.stderr)
        assert "Traceback" not in outcome.stderr, point
        if outcome.status == 0:
            assert current == self.after, point
        else:
            assert outcome.status == 1, point
            assert {problem["code"] for problem in told.json["problems"]} <= {*OUTPUT}, point
        if outcome.point.call not in REMOVALS:
            assert [path for path in leftovers(self.app) if not self.is_announcement(path)] == [], point

    def is_announcement(self, path: str) -> bool:
        """A commit that broke off at a pointer, or at the tidying, says so to the next build."""
        folder = self.app / path
        return folder.name.startswith(".tmp-") and [file.name for file in folder.iterdir()] == ["pending.json"]

    def check_next(self, point: str) -> None:
        """What follows is as if nothing had been: the same tree, from the cache and without it; nothing lies about."""
        after = run(self.app, "build", "--json").ok()
        assert tree(self.dist) == self.tree, point
        found = crash.cache_faults(self.cache)
        assert found == [], (point, found)
        if after.json["fresh"] or len(self.seen) % 8 == 0:
            run(self.app, "build", "--no-cache").ok()
            assert tree(self.dist) == self.tree, point
        assert leftovers(self.app) == [], point


@pytest.mark.parametrize("cold", [True, False], ids=["cold cache", "warm cache"])
def test_a_build_broken_off_leaves_the_old_or_the_new_and_a_right_cache(tmp_path: Path, cold: bool) -> None:
    project = Project(tmp_path, cold)
    chosen = crash.chosen(project.points)
    if len(chosen) < len(project.points):  # a third of the sample: a point is two builds, 2 to 5 s
        chosen = chosen[::3]
    missed = []
    for outcome in crash.sweep(project.command, chosen, project.reset, project.log, **project.how):
        project.check(outcome)
        missed += [] if outcome.met else [str(outcome.point)]
    # Threads of a build take turns as the machine pleases, so that a few numbered calls do not come again.
    assert len(missed) <= len(chosen) // 10, missed
    assert len(chosen) - len(missed) >= (40 if cold else 20)
