"""Builds that must fail: one diagnostic about the one entry, and the last good output as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures import models

from .cli import configure, leftovers, run, tree

CRASH = """
import os
def crash(model):
    os.kill(os.getpid(), 11)
def leave(model):
    os._exit(0)
def nothing(model):
    pass
def bomb(model):
    return b"x" * (1 << 40)
"""


def test_a_crash_is_one_diagnostic_about_one_entry_and_the_others_still_run(app: Path) -> None:
    configure(app, "'a': Entry(source='models/a.onnx')")
    run(app, "build").ok()
    before = tree(app / "dist")
    configure(
        app,
        "'a': Entry(source='models/a.onnx', use=[simplify()]), 'boom': Entry(source='models/a.onnx', use=[crash]),"
        "'gone': Entry(source='models/a.onnx', use=[leave]), 'none': Entry(source='models/a.onnx', use=[nothing]),"
        "'bomb': Entry(source='models/a.onnx', use=[bomb])",
    )
    text = (app / "model.config.py").read_text()
    (app / "model.config.py").write_text(CRASH + text)
    ran = run(app, "build")
    ran.failed("MB301", "SIGSEGV", "boom")
    for code in ("MB301", "MB305", "MB307", "MB310"):
        assert ran.stderr.count(f"error[{code}]") == 1, ran.stderr
    assert "4 errors" in ran.stderr
    assert tree(app / "dist") == before
    assert leftovers(app) == []
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()])")
    assert run(app, "build", "--json").ok().json["steps"] == {"total": 1, "cached": 1}


def test_a_step_whose_result_is_no_model_is_taken_back(app: Path) -> None:
    """Everything is constant here: simplify folds the whole graph away."""
    node = models.helper.make_node("Relu", ["w"], ["y"])
    model = models.make([node], [], [models.port("y", [4000])], [models.tensor("w", models.noise(1, 4000))])
    models.save(model, app / "models/a.onnx")
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()])")
    (step,) = run(app, "build", "--json").ok().json["entries"][0]["variants"][0]["steps"]
    assert step["status"] == "rolled back"
    assert step["note"] == 'its result cannot be used: the graph "main" has no nodes'
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()], on_regression='error')")
    run(app, "build").failed("MB321", "no nodes", "a/simplify")


def test_a_bad_source_does_not_keep_the_other_entries_from_running(app: Path) -> None:
    (app / "models/bad.onnx").write_bytes(b"<!DOCTYPE html><html></html>")
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()]), 'bad': Entry(source='models/bad.onnx')")
    run(app, "build").failed("MB205", "models/bad.onnx", "bad")
    configure(app, "'a': Entry(source='models/a.onnx', use=[simplify()])")
    assert run(app, "build", "--json").ok().json["steps"] == {"total": 1, "cached": 1}


def test_a_failing_build_as_json(app: Path) -> None:
    (app / "models/a.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    configure(app, "'a': Entry(source='models/a.onnx')")
    ran = run(app, "build", "--json")
    assert ran.status == 1
    assert (ran.json["ok"], ran.json["exitStatus"]) == (False, 1)
    (found,) = ran.json["problems"]
    assert (found["code"], found["file"], found["entry"]) == ("MB206", "models/a.onnx", "a")
    assert "git lfs pull" in found["fix"]


def test_a_file_that_is_not_ours_is_never_replaced(app: Path) -> None:
    (app / "dist").mkdir()
    (app / "dist/models.js").write_text("mine")
    configure(app, "'a': Entry(source='models/a.onnx')")
    run(app, "build").failed("MB404", "models.js")
    assert tree(app / "dist") == {"models.js": tree(app / "dist")["models.js"]}
    assert (app / "dist/models.js").read_text() == "mine"


def test_usage_errors_exit_with_2(app: Path) -> None:
    for arguments in (["build", "--jbos", "2"], ["biuld"], ["build", "--jobs", "0"], ["build", "extra"]):
        ran = run(app, *arguments)
        assert ran.status == 2
        assert "error[MB191]" in ran.stderr
        assert "fix: " in ran.stderr


@pytest.mark.parametrize("how", ["written", "replaced", "removed"])
def test_a_source_that_changes_while_it_is_built_is_noticed(how: str, app: Path) -> None:
    """Its graph would be that of before, its weights those of after."""
    configure(app, "'b': Entry(source='models/b.onnx')")
    run(app, "build").ok()
    before = tree(app / "dist")
    b = str(app / "models/b.onnx")
    does = {
        "written": f"file = open({b!r}, 'r+b'); file.seek(9000); file.write(bytes(400)); file.close()",
        "replaced": f"import os, shutil; shutil.copy({b!r}, {b!r} + '.new'); os.replace({b!r} + '.new', {b!r})",
        "removed": f"import os; os.unlink({b!r})",
    }
    meddle = f"def meddle(model):\n    import time; time.sleep(0.5)\n    {does[how]}\n    return model\n"
    configure(app, "'a': Entry(source='models/a.onnx', use=[meddle]), 'b': Entry(source='models/b.onnx')")
    (app / "model.config.py").write_text(meddle + (app / "model.config.py").read_text())
    ran = run(app, "build")
    assert ran.status == 1, ran.stderr
    assert ("error[MB412]" if how == "removed" else "error[MB411]") in ran.stderr
    assert "models/b.onnx" in ran.stderr
    assert tree(app / "dist") == before
    assert leftovers(app) == []
