"""Every bad model is refused with its own code, a file, a fix, and nothing but an MbundleError."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.catalogue import CATALOGUE
from bundler.errors import MbundleError
from bundler.graph import gates
from bundler.graph.read import ReadPolicy, read_model

from .bad_models import BAD


def test_there_are_enough() -> None:
    assert len(BAD) >= 100


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_model(name: str, tmp_path: Path) -> None:
    builder, code = BAD[name]
    project, scratch = tmp_path / "project", tmp_path / "scratch"
    project.mkdir()
    scratch.mkdir()
    path = builder(project)
    with pytest.raises(MbundleError) as caught:
        gates.check(read_model(path, ReadPolicy(str(project), str(scratch))).model)
    first = caught.value.problems[0]
    assert first.code == code, caught.value
    assert first.code in CATALOGUE
    assert first.what
    assert first.fix
    assert name.startswith("gate-") or first.file == path
