"""`mbundle watch`: what it rebuilds, what it says, what it survives."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest

from fixtures import models

from . import dist
from .cli import command, configure, environment, leftovers, run, tree
from .watching import Event, watching

ENTRY = "'a': Entry(source='a.onnx', use=[simplify()])"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    models.save(models.mlp(), root / "a.onnx")
    configure(root, ENTRY)
    return root


def checks(events: list[Event]) -> list[str]:
    return [event["text"] for event in events if event["type"] == "progress" and "checking" in event["text"]]


def test_a_change_rebuilds_what_depends_on_it(project: Path) -> None:
    models.save(models.mlp(10), project / "b.onnx")
    configure(project, f"{ENTRY}, 'b': Entry(source='b.onnx', use=[simplify()])")
    with watching(project) as watch:
        first = watch.after(0, "model-update")
        assert first["entries"] == ["a", "b"]
        mark = watch.mark()
        models.save(models.mlp(20), project / "b.onnx")
        update = watch.after(mark, "model-update")
        assert watch.starts(mark)[0]["changed"] == ["b.onnx"]
        assert update["entries"] == ["b"]
        assert (update["rebuilt"], update["cached"]) == (["b/default"], ["a/default"])
        watch.settled()
        assert len(watch.starts()) == 2, "its own reading and writing causes nothing"
        mark = watch.mark()
        os.utime(project / "a.onnx")
        watch.after(mark, "build-unchanged")
    dist.check(project / "dist")
    assert leftovers(project) == []


def test_a_graph_that_passed_the_gates_is_not_checked_again_for_other_weights(project: Path) -> None:
    model = models.mlp(20, width=32)
    largest = max(model.graph.initializer, key=lambda tensor: tensor.ByteSize())
    with watching(project) as watch:
        for change, checked in ((b"", True), (b"\1", False), (b"\2", False)):
            mark = watch.mark()
            largest.raw_data = change + largest.raw_data[len(change) :]
            models.save(model, project / "a.onnx")
            watch.after(mark, "model-update")
            assert bool(checks(watch.events[mark:])) is checked
        mark = watch.mark()
        model.graph.node[0].input[0] = "nowhere"
        models.save(model, project / "a.onnx")
        watch.after(mark, "error")
    dist.check(project / "dist")


def test_a_second_one_follows_the_first_and_takes_its_place(project: Path) -> None:
    """As when a bundler's plugin starts one while another runs in a terminal."""
    with watching(project, ends=-9) as first, watching(project) as follower:
        assert follower.after(0, "model-update")["entries"] == ["a"]
        marks = first.mark(), follower.mark()
        good = (project / "model.config.py").read_text()
        (project / "model.config.py").write_text(good.replace("source=", "sauce="))
        errors = [one.after(mark, "error") for one, mark in zip((first, follower), marks, strict=True)]
        assert errors[0] == errors[1]
        (project / "model.config.py").write_text(good)
        follower.after(marks[1], "build-unchanged")
        models.save(models.mlp(21), project / "a.onnx")
        update = follower.after(marks[1], "model-update")
        assert update == first.after(marks[0], "model-update")
        starts = [one.starts(mark) for one, mark in zip((first, follower), marks, strict=True)]
        assert starts[0] == starts[1], "nothing is built twice"

        first.process.kill()
        first.process.wait()
        follower.until(lambda all: all[-1]["type"] == "build-unchanged", "build of its own")
        mark = follower.mark()
        models.save(models.mlp(22), project / "a.onnx")
        assert follower.after(mark, "model-update")["rebuilt"] == ["a/default"]
        follower.settled()
    dist.check(project / "dist")


@pytest.mark.parametrize("limit", ["max_inotify_instances", "max_inotify_watches"])
def test_where_the_system_gives_no_more_events_it_polls_and_says_so(project: Path, limit: str) -> None:
    """In a namespace of its own, whose limit is none at all."""
    under = ("unshare", "-Ur", "sh", "-c", f'echo 0 > /proc/sys/user/{limit} && exec "$@"', "sh")
    if subprocess.run([*under, "true"], capture_output=True).returncode:
        pytest.skip("needs user namespaces")
    with watching(project, under=under) as watch:
        mark = watch.mark()
        models.save(models.mlp(7), project / "a.onnx")
        assert watch.after(mark, "model-update")["rebuilt"] == ["a/default"]
    assert "polling every" in watch.stderr
    assert "fs.inotify.max_user_" in watch.stderr


def test_a_broken_config_keeps_the_output_and_is_mended(project: Path) -> None:
    good = (project / "model.config.py").read_text()
    with watching(project) as watch:
        before = tree(project / "dist")
        mark = watch.mark()
        (project / "model.config.py").write_text("import helper\n" + good)
        error = watch.after(mark, "error")
        assert error["problems"][0]["file"] == "model.config.py"
        assert tree(project / "dist") == before
        mark = watch.mark()
        (project / "helper.py").write_text("")  # not a file that anybody has read yet
        watch.after(mark, "build-unchanged")
        mark = watch.mark()
        (project / "a.onnx").unlink()
        watch.after(mark, "error")
        mark = watch.mark()
        models.save(models.mlp(3), project / "a.onnx")
        watch.after(mark, "model-update")
    dist.check(project / "dist")


def test_what_was_built_before_is_watched_too(project: Path) -> None:
    run(project, "build").ok()
    with watching(project) as watch:
        assert watch.after(0, "build-unchanged")["build"] == 1
        mark = watch.mark()
        models.save(models.mlp(6), project / "a.onnx")
        watch.after(mark, "model-update")


def test_external_data_that_is_exported_after_its_model(project: Path) -> None:
    models.save_external(models.mlp(4), project / "new.onnx", "new.bin")
    late = (project / "new.bin").read_bytes()
    (project / "new.bin").unlink()
    os.replace(project / "new.onnx", project / "a.onnx")
    with watching(project) as watch:
        watch.after(0, "error")
        mark = watch.mark()
        (project / "new.bin").write_bytes(late[: len(late) // 2])
        watch.after(mark, "error")
        mark = watch.mark()
        (project / "new.bin").write_bytes(late)
        watch.after(mark, "model-update")
        mark = watch.mark()
        (project / "new.bin").write_bytes(late[::-1])
        assert watch.after(mark, "build-start")["changed"] == ["new.bin"]


def test_a_failure_does_not_watch_its_own_log(project: Path) -> None:
    (project / "a.onnx").write_bytes(b"no model")
    with watching(project) as watch:
        watch.settled()
        mark = watch.mark()
        for number in range(5):
            (project / "watch.log").write_text(str(number) * number)
            time.sleep(0.3)
        watch.settled()
        assert len(watch.starts(mark)) <= 1, "that a file appeared is worth one look"


SLOW = """
import os, time
def slow(model):
    open({began!r}, "w").close()
    while os.path.exists({wait!r}):
        time.sleep(0.02)
    return model
"""


def test_a_change_during_a_build_ends_it_and_starts_again(project: Path) -> None:
    began, wait = project.parent / "began", project.parent / "wait"
    wait.touch()
    text = SLOW.format(began=str(began), wait=str(wait))
    with watching(project) as watch:
        mark = watch.mark()
        configure(project, "'a': Entry(source='a.onnx', use=[slow])")
        config = project / "model.config.py"
        config.write_text(text + config.read_text())
        watch.until(lambda _: began.exists() or None, "step")
        children = psutil.Process(watch.process.pid).children(recursive=True)
        models.save(models.mlp(5), project / "a.onnx")
        second = watch.until(lambda all: [e for e in all[mark:] if e["type"] == "build-start"][1:], "second start")[0]
        assert second["changed"] == ["a.onnx", "model.config.py"], "what the first was for is not lost"
        assert sum(child.is_running() for child in children) <= 1, "the fork server alone stays"
        wait.unlink()
        watch.after(mark, "model-update")
        assert [e["build"] for e in watch.events if e["type"] in ("model-update", "error")] == [1, 3]
    run(project, "build").ok()
    assert leftovers(project) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_all_its_children(project: Path, how: signal.Signals) -> None:
    process = subprocess.Popen(
        command("watch"), cwd=project, env=environment(), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert process.stderr is not None
    for line in process.stderr:
        if b"watching for changes" in line:
            break
    family = psutil.Process(process.pid).children(recursive=True)
    threading.Timer(0, process.send_signal, [how]).start()
    error = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert b"Traceback" not in error
    assert psutil.wait_procs(family, timeout=60)[1] == []
    assert leftovers(project) == []
