"""Every bad config through the real command line: exit status 2, told in full, and the output is as it was."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from bundler.catalogue import CATALOGUE
from fixtures import models

from . import bad_configs as table
from .cli import HEAD, Ran, Within, configure, leftovers, run, tree

HOSTILE = {
    "exits with 0": ("import sys; sys.exit(0)", "MB104"),
    "exits hard": ("import os; os._exit(0)", "MB104"),
    "crashes": ("import os; os.kill(os.getpid(), 11)", "MB104"),
    "waits for an answer": ("input('which?')", "MB103"),
    "closes its streams and raises": ("import os; os.close(1); os.close(2); 1 / 0", "MB103"),
    "is in another encoding": ("# coding: utf-16\n", "MB102"),
}
NOISE = "print('{\"ok\": true}'); import sys; sys.stdout.flush(); import os; os.write(1, b'raw noise\\n')\n"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the table, with a good build in dist."""
    root = table.make_project(tmp_path_factory.mktemp("configs") / "app")
    models.save(models.mlp(), root / "good.onnx")
    configure(root, "'good': Entry(source='good.onnx')")
    run(root, "build").ok()
    return root


@pytest.fixture(scope="module")
def before(app: Path) -> dict[str, str]:
    return tree(app / "dist")


def refused(ran: Ran, code: str, file: str = "model.config.py") -> None:
    """The contract of a refusal, in both of its forms."""
    assert ran.status == 2, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["ok"], told["exitStatus"]) == (False, 2)
    first = told["problems"][0]
    assert (first["code"], first["file"]) == (code, file)
    assert first["what"]
    for problem in told["problems"]:
        assert problem["code"] in CATALOGUE
        assert problem["fix"]
        assert f"error[{problem['code']}]" in ran.stderr
    assert f"error[{code}] {file}" in ran.stderr
    assert ran.stderr.count("  fix: ") == len(told["problems"])
    for secret in ("Traceback", "MB900", "\x1b", "bundler/config"):
        assert secret not in ran.stderr


def test_there_are_enough() -> None:
    assert len(table.CASES) + len(HOSTILE) >= 60


@pytest.mark.parametrize("case", table.CASES, ids=lambda case: case.name)
def test_a_bad_config_is_refused(case: table.Case, app: Path, before: dict[str, str], within: Within) -> None:
    (app / "model.config.py").write_text(HEAD + textwrap.dedent(case.text))
    refused(within(app, "build", "--json"), case.code)
    assert tree(app / "dist") == before
    assert leftovers(app) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_config_is_refused(name: str, app: Path, before: dict[str, str]) -> None:
    """As a process of its own. What the config prints goes to stderr and never into the JSON."""
    text, code = HOSTILE[name]
    (app / "model.config.py").write_text(("" if "coding" in text else HEAD + NOISE) + text)
    ran = run(app, "build", "--json")
    refused(ran, code)
    assert ("raw noise" in ran.stderr) == ("coding" not in text)
    assert tree(app / "dist") == before


def test_a_config_that_is_not_there(app: Path, before: dict[str, str]) -> None:
    refused(run(app, "build", "--json", "--config", "other.config.py"), "MB101", "other.config.py")
    assert tree(app / "dist") == before


def test_people_see_the_line(app: Path) -> None:
    (app / "model.config.py").write_text(HEAD + "config = define_config(entries={'a': Entry(sorce='good.onnx')})\n")
    ran = run(app, "build")
    assert (ran.status, ran.stdout) == (2, "")
    assert "error[MB110] model.config.py:3: Entry has no option `sorce`." in ran.stderr
    assert ">    3 | config = define_config" in ran.stderr
    assert "fix: Did you mean `source`?" in ran.stderr
