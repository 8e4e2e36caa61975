"""`Entry(candidates={…})`: judged on one golden set and budget, the smallest that passes ships; the build says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from fixtures import models

from . import dist
from .cli import Within, configure, run

WIDTH = 64


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """`teacher` computes what `student` does and carries a matrix more; `other` is the smallest, and something else."""
    student = models.mlp(width=WIDTH, layers=2)
    models.save(student, tmp_path / "student.onnx")
    models.save(models.mlp(seed=9, width=WIDTH, layers=1), tmp_path / "other.onnx")
    graph = student.graph
    graph.node[-1].output[0] = "y0"
    graph.initializer.extend([models.tensor("big", models.noise(5, WIDTH, WIDTH))])
    graph.initializer.extend([models.tensor("zero", np.zeros(1, np.float32))])
    graph.node.extend(
        [
            helper.make_node("MatMul", ["x", "big"], ["b"]),
            helper.make_node("Mul", ["b", "zero"], ["none"]),
            helper.make_node("Add", ["y0", "none"], ["y"]),
        ]
    )
    onnx.checker.check_model(student)
    models.save(student, tmp_path / "teacher.onnx")
    np.savez(tmp_path / "golden.npz", x=models.noise(7, 5, 3, WIDTH))
    return tmp_path


def declare(project: Path, *names: str, more: str = "") -> None:
    listed = ", ".join(f'"{name}": "{name}.onnx"' for name in names)
    golden = 'golden=Golden("golden.npz", at_least=0.99)'
    configure(project, f'"net": Entry(candidates={{{listed}}}, {golden}{more})')


def test_the_smallest_that_passes_ships_and_the_build_says_why(project: Path) -> None:
    declare(project, "teacher", "student", "other")
    ran = run(project, "build", "--json").ok()
    entry = ran.json["entries"][0]
    assert (entry["name"], entry["source"]) == ("net", "student.onnx")
    rows = {row["name"]: row for row in entry["candidates"]}
    assert [row["chosen"] for row in rows.values()] == [False, True, False]
    assert rows["other"]["bytes"] < rows["student"]["bytes"] < rows["teacher"]["bytes"]
    assert rows["teacher"]["metric"] == pytest.approx(1)
    assert rows["other"]["metric"] < 0.9
    assert rows["other"]["against"] == "below 0.99"
    assert list(dist.check(project / "dist")["entries"]) == ["net"]
    feeds = {"x": models.noise(3, 2, WIDTH)}
    dist.agree(project / "student.onnx", dist.assemble(project / "dist", project / "again", "net"), feeds)
    assert run(project, "build", "--json").ok().json["fresh"]
    (project / "other.onnx").write_bytes((project / "student.onnx").read_bytes())
    assert not run(project, "build", "--json").ok().json["fresh"]


def test_people_read_it_in_the_table(project: Path) -> None:
    declare(project, "teacher", "other")
    text = " ".join(run(project, "build").ok().stderr.split())
    assert "ships teacher: 50." in text
    assert "the smallest that passes (other: " in text
    assert "below 0.99)" in text


def test_a_budget_counts_and_where_none_passes_the_build_fails(project: Path) -> None:
    declare(project, "teacher", "student", more=', budget=Budget(size="40 kB")')
    assert run(project, "build", "--json").ok().json["entries"][0]["source"] == "student.onnx"
    declare(project, "teacher", "other", more=', budget=Budget(size="40 kB")')
    run(project, "build").failed("MB359", "teacher: ", "over its budget of 40.00 kB", "below 0.99")


def test_what_is_wrong_is_told_where_it_stands(project: Path, within: Within) -> None:
    configure(project, '"net": Entry(candidates={"a": "nothing.onnx", "b": 3}, source="teacher.onnx")')
    text = within(project, "build").stderr
    for code in ("MB140", "MB112", "MB131"):
        assert f"error[{code}]" in text
    configure(project, '"net": Entry(candidates={})')
    assert "error[MB112]" in within(project, "build").stderr
    configure(project, '"net": Entry(candidates={"a": "teacher.onnx"})')
    assert "judged by a golden set" in within(project, "build").stderr
    configure(project, '"net": Entry(use=[])')
    assert "error[MB111]" in within(project, "build").stderr
