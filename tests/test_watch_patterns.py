"""Twelve ways in which files change x gaps between edits: the output always becomes what a fresh build gives."""

from __future__ import annotations

import mmap
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from fixtures import models

from . import dist
from .cli import configure, run, tree
from .watching import Watch, watching

HELPER = "STEPS = 1\n"


@dataclass(frozen=True)
class Project:
    root: Path
    gap: float
    first: int = 0
    """No two patterns write the same models."""

    @property
    def model(self) -> Path:
        return self.root / "models/a.onnx"

    def bytes(self, seed: int) -> bytes:
        return models.mlp(self.first + seed, width=32).SerializeToString()

    def pause(self) -> None:
        time.sleep(self.gap)


def atomic_in_the_folder(p: Project) -> None:
    for seed in (1, 2, 3):
        beside = p.model.with_name(".a.onnx.tmp")
        beside.write_bytes(p.bytes(seed))
        os.replace(beside, p.model)
        p.pause()


def atomic_from_another_folder(p: Project) -> None:
    for seed in (1, 2, 3):
        elsewhere = p.root.parent / "made.tmp"
        elsewhere.write_bytes(p.bytes(seed))
        os.replace(elsewhere, p.model)
        p.pause()


def slow_writer(p: Project) -> None:
    data = p.bytes(1)
    with open(p.model, "wb", buffering=0) as file:
        for start in range(0, len(data), len(data) // 7):
            file.write(data[start : start + len(data) // 7])
            p.pause()


def mapped(p: Project) -> None:
    data = p.bytes(1)
    assert len(data) == p.model.stat().st_size
    with open(p.model, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        half = len(data) // 2
        memory[:half] = data[:half]
        p.pause()
        memory[half:] = data[half:]


def target_of_a_link(p: Project) -> None:
    target = p.root.parent / "blobs" / "0123"
    target.parent.mkdir(exist_ok=True)
    os.replace(p.model, target)
    p.model.symlink_to(target)
    for seed in (1, 2):
        p.pause()
        target.write_bytes(p.bytes(seed))


def rename(p: Project) -> None:
    other = p.model.with_name("other.onnx")
    other.write_bytes(p.bytes(1))
    p.pause()
    os.rename(p.model, p.model.with_name("old.onnx"))
    p.pause()
    os.rename(other, p.model)


def delete_and_restore(p: Project) -> None:
    data = p.bytes(1)
    for _ in range(2):
        p.model.unlink()
        p.pause()
        p.model.write_bytes(data)
        p.pause()


def same_size_same_second(p: Project) -> None:
    for seed in (1, 2, 3, 4):
        data = p.bytes(seed)
        assert len(data) == p.model.stat().st_size
        p.model.write_bytes(data)
        p.pause()


def config_broken_and_mended(p: Project) -> None:
    config = p.root / "model.config.py"
    good = config.read_text()
    config.write_text(good + "(")
    p.pause()
    p.model.write_bytes(p.bytes(1))
    p.pause()
    config.write_text(good)


def helper_edited(p: Project) -> None:
    for steps in (2, 3, 0):
        (p.root / "helper.py").write_text(f"STEPS = {steps}\n")
        p.pause()


def folder_recreated(p: Project) -> None:
    shutil.rmtree(p.model.parent)
    p.pause()
    p.model.parent.mkdir()
    p.pause()
    p.model.write_bytes(p.bytes(1))
    p.pause()
    p.model.write_bytes(p.bytes(2))


def branch_switch(p: Project) -> None:
    """Each file in turn, the config among them, and a folder of others."""
    for seed in (1, 2):
        for number in range(100):
            path = p.root / f"src/{number % 5}/{number}.js"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(seed))
        (p.root / "helper.py").unlink()
        p.model.unlink()
        (p.root / "helper.py").write_text(f"STEPS = {seed}\n")
        p.model.write_bytes(p.bytes(seed))
        os.utime(p.root / "model.config.py")
        p.pause()


PATTERNS: list[Callable[[Project], None]] = [
    atomic_in_the_folder,
    atomic_from_another_folder,
    slow_writer,
    mapped,
    target_of_a_link,
    rename,
    delete_and_restore,
    same_size_same_second,
    config_broken_and_mended,
    helper_edited,
    folder_recreated,
    branch_switch,
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "models").mkdir(parents=True)
    models.save(models.mlp(0, width=32), root / "models/a.onnx")
    (root / "helper.py").write_text(HELPER)
    configure(root, "'a': Entry(source='models/a.onnx', use=[shifted])")
    config = root / "model.config.py"
    config.write_text(f"from helper import STEPS\n{SHIFTED}\n{config.read_text()}")
    return root


SHIFTED = """
def shifted(model, context):
    changed = model.to_ir()
    changed.graph.node(0).name = f"shifted by {STEPS}"
    return model.with_ir(changed, context.scratch)
"""


def converged(watch: Watch, root: Path, after: str) -> None:
    """The output is whole, and a fresh build in a copy of the project gives the same but for older generations."""
    watch.settled(1.2)
    last = [event for event in watch.events if event["type"] != "progress"][-1]
    assert last["type"] != "error", (after, last)
    dist.check(root / "dist")
    copy = root.parent / "fresh"
    shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns("dist", ".mbundle"))
    run(copy, "build", "--cache-dir", str(root.parent / "cache")).ok()
    fresh, here = tree(copy / "dist"), tree(root / "dist")
    fresh.pop(".mbundle.json")
    assert {name: here.get(name) for name in fresh} == fresh, after
    shutil.rmtree(copy)


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.0, 0.12, 0.5])
def test_it_converges(gap: float, root: Path) -> None:
    with watching(root) as watch:
        for number, pattern in enumerate(PATTERNS):
            mark = watch.mark()
            pattern(Project(root, gap, 100 * number))
            watch.after(mark, "build-start")
            converged(watch, root, pattern.__name__)
        mark = watch.mark()
        time.sleep(2.5)  # longer than the looking takes to come round
        assert watch.starts(mark) == [], "no rebuild without a reason"


@pytest.mark.slow
def test_it_converges_by_polling(root: Path) -> None:
    with watching(root, "--poll") as watch:
        for number, pattern in enumerate((slow_writer, folder_recreated, target_of_a_link)):
            mark = watch.mark()
            pattern(Project(root, 0.12, 100 * number))
            watch.after(mark, "build-start")
            converged(watch, root, pattern.__name__)


@pytest.mark.slow
def test_two_hundred_rapid_saves_are_a_few_builds(root: Path) -> None:
    project = Project(root, 0)
    with watching(root) as watch:
        mark = watch.mark()
        for seed in range(200):
            project.model.write_bytes(project.bytes(seed + 1))
            time.sleep(0.003)
        watch.after(mark, "build-start")
        converged(watch, root, "two hundred saves")
        assert len(watch.starts(mark)) <= 4


@pytest.mark.slow
def test_two_hundred_rebuilds_leave_it_as_it_was(root: Path) -> None:
    """Memory, threads, descriptors and processes; also of a session whose every third build is ended or fails."""
    config = root / "model.config.py"
    configure(root, "'a': Entry(source='models/a.onnx')")
    good, project = config.read_text(), Project(root, 0)
    with watching(root, "--cache-dir", str(root.parent / "cache")) as watch:
        figures = []
        for build in range(200):
            mark = watch.mark()
            if build % 10 == 9:
                config.write_text(good + "(")
                watch.after(mark, "error")
                mark = watch.mark()
                config.write_text(good)
                watch.after(mark, "build-unchanged")
                mark = watch.mark()
            project.model.write_bytes(project.bytes(build + 1))
            watch.after(mark, "model-update")
            if build % 20 == 19:
                figures.append(measured(watch.process.pid))
        early, late = figures[1], figures[-1]
        assert late.processes == early.processes
        assert late.threads <= early.threads + 1
        assert late.descriptors <= early.descriptors + 2
        assert late.memory <= early.memory * 1.1 + 4_000_000, figures


@dataclass(frozen=True)
class Figures:
    """`memory`: bytes of the process itself and its fork server."""

    memory: int
    threads: int
    descriptors: int
    processes: int


def measured(pid: int) -> Figures:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return Figures(
        sum(one.memory_full_info().uss for one in family),
        sum(one.num_threads() for one in family),
        sum(one.num_fds() for one in family),
        len(family),
    )
