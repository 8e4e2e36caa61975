"""Bad configs: each is told with its code, its very line, what is wrong and what to do, and never with a traceback."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from bundler.catalogue import CATALOGUE
from bundler.config import validate
from bundler.config.findings import Bad
from bundler.config.load import load_config
from bundler.errors import ConfigError, Problem

from .bad_configs import CASES, Case, entry, make_project
from .cli import HEAD


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that every case's config is written into."""
    return make_project(tmp_path_factory.mktemp("project") / "app")


def problems(project: Path, text: str) -> tuple[Problem, ...]:
    (project / "model.config.py").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(str(project))
    return caught.value.problems


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_config_is_told(case: Case, project: Path) -> None:
    text = HEAD + textwrap.dedent(case.text)
    first = problems(project, text)[0]
    assert (first.code, first.file) == (case.code, "model.config.py")
    assert case.what in first.what
    assert case.fix in first.fix
    assert first.fix
    assert "Traceback" not in first.what + first.frame
    if "#!" in text and "\n'aaa" not in text:
        assert first.line == 1 + text[: text.index("#!")].count("\n")
        assert f"> {first.line:4} |" in first.frame
    if case.caret:
        assert marked(first.frame) == case.caret


def marked(frame: str) -> str:
    """The text over the carets of a frame."""
    lines = frame.splitlines()
    below = next(line for line in lines if set(line) <= set(" |^") and "^" in line)
    start, end = below.index("^"), below.rindex("^") + 1
    return lines[lines.index(below) - 1][start:end]


def test_the_table_is_large_enough_and_covers_every_code_of_evaluation() -> None:
    assert len(CASES) >= 60
    untested = {code for code in CATALOGUE if "MB102" <= code <= "MB148"} - {case.code for case in CASES}
    # processes, folders, plugins, modes and compressors have tests of their own
    assert untested == {"MB104", "MB105", "MB109", "MB123", "MB133", "MB134"}


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines(project: Path) -> None:
    text = HEAD + textwrap.dedent(
        """\
        config = define_config(
            entries={
                "x/y": Entry(sorce="m.onnx", use=[simplify(skp=()), quantize_dynamic(per_channel=3)]),
                "b": Entry(source="m.onnx", budget=Budget(size="1 QB", latensy=3), load="now"),
            },
            output=Output(dir=".", base="x"),
            chunks=Chunks(max_size=-1),
        )
        """
    )
    found = problems(project, text)
    assert [(p.code, p.line) for p in found] == [
        ("MB116", 5),
        ("MB110", 5),
        ("MB111", 5),
        ("MB110", 5),
        ("MB112", 5),
        ("MB113", 6),
        ("MB110", 6),
        ("MB112", 6),
        ("MB130", 8),
        ("MB113", 8),
        ("MB113", 9),
    ]


def test_the_message_of_a_misspelt_option(project: Path) -> None:
    text = (
        HEAD
        + 'config = define_config(\n    entries={\n        "icons": Entry(\n'
        + '            sorce="m.onnx",\n        ),\n    },\n)\n'
    )
    found = next(p for p in problems(project, text) if p.code == "MB110")
    assert found.frame == textwrap.dedent(
        """\
             4 |     entries={
             5 |         "icons": Entry(
        >    6 |             sorce="m.onnx",
               |             ^^^^^
             7 |         ),
             8 |     },"""
    )
    assert (found.what, found.fix, found.entry) == ("Entry has no option `sorce`.", "Did you mean `source`?", "icons")


def test_a_mistake_in_a_helper_module_points_into_that_module(project: Path) -> None:
    (project / "shared_steps.py").write_text(
        "from bundler.loaders import simplify\n\nSTEPS = [\n    simplify(skp=()),\n]\n"
    )
    text = HEAD + "from shared_steps import STEPS\n" + entry("source='m.onnx', use=STEPS")
    found = problems(project, text)[0]
    assert (found.file, found.line, marked(found.frame)) == ("shared_steps.py", 4, "skp")


def test_options_made_in_a_loop_or_spread_from_a_dict_are_located_as_well_as_they_can_be(project: Path) -> None:
    text = HEAD + "more = {'lod': 1}\nconfig = define_config(entries={n: Entry(source='m.onnx', **more) for n in 'ab'})"
    found = problems(project, text)
    assert [(p.code, p.line, p.entry) for p in found] == [("MB110", 4, "a"), ("MB110", 4, "b")]


def test_a_long_line_scrolls_to_the_mistake(project: Path) -> None:
    text = HEAD + "config = define_config(entries={'a': Entry(source='m.onnx'), " + "'b': Entry(source='m.onnx'), " * 0
    text += " " * 150 + "'c': Entry(source='m.onnx', lod=1)})"
    found = problems(project, text)[0]
    assert marked(found.frame) == "lod"
    assert max(map(len, found.frame.splitlines())) < 130


def test_text_from_a_config_cannot_forge_terminal_output(project: Path) -> None:
    found = problems(project, HEAD + "raise ValueError('\\x1b[2Jgone \\u202e')")[0]
    assert "\x1b" not in found.what
    assert "\u202e" not in found.what


def test_a_mode_that_does_not_exist(project: Path) -> None:
    (project / "model.config.py").write_text(HEAD + entry("source='m.onnx'"))
    with pytest.raises(ConfigError) as caught:
        load_config(str(project), mode="prodction")
    assert (caught.value.problems[0].code, caught.value.problems[0].fix) == ("MB133", "Did you mean `production`?")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("config = 1".encode("utf-16"), "UTF-16"),
        (b"x = 1\nconfig = '\0'\n", "NUL"),
        (b"x = 1\n# caf\xe9\n", "0xe9"),
        (b"# coding: no-such\n", "no-such"),
    ],
)
def test_a_file_that_is_not_text(content: bytes, what: str, project: Path) -> None:
    (project / "model.config.py").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(str(project))
    (found,) = caught.value.problems
    assert (found.code, found.file) == ("MB102", "model.config.py")
    assert what in found.what


def test_no_config_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(str(tmp_path))
    assert caught.value.problems[0].code == "MB101"
    assert "mbundle init" in caught.value.problems[0].fix
    assert caught.value.inputs == (str(tmp_path / "model.config.py"),)
    (tmp_path / "models.config.py").touch()
    with pytest.raises(ConfigError) as caught:
        load_config(str(tmp_path))
    assert "models.config.py" in caught.value.problems[0].fix
    (tmp_path / "model.config.py").mkdir()
    with pytest.raises(ConfigError, match="not a regular file"):
        load_config(str(tmp_path))


def test_a_compressor_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(validate._COMPRESSORS, "br", "no_such_package")
    with pytest.raises(Bad) as told:
        validate._encoding("br")
    assert (told.value.code, "no_such_package" in told.value.what) == ("MB134", True)
