"""mbundle init: the config that it writes is one that loads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bundler.commands.init import init
from bundler.config.detect import find_models, name_models, web_project
from bundler.config.load import load_config
from bundler.errors import ConfigError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def run(folder: Path) -> Result:
    return CliRunner().invoke(init, [str(folder)], standalone_mode=False)


def refused(folder: Path) -> str:
    result = run(folder)
    assert isinstance(result.exception, ConfigError)
    return result.exception.problems[0].code


def test_it_writes_a_config_that_loads(tmp_path: Path) -> None:
    touch(tmp_path, "models/minilm/onnx/model.onnx", 'models/odd "name" é.onnx', "con.onnx")
    result = run(tmp_path)
    assert result.exception is None
    assert "3 models" in result.output
    assert "mbundle build" in result.output
    built = load_config(str(tmp_path))
    assert [entry.name for entry in built.entries] == ["con-model", "minilm", "odd-name-e"]
    assert {variant.name for entry in built.entries for variant in entry.variants} == {"q8", "fp32"}
    assert built.output.dir == str(tmp_path / "dist")


def test_it_never_overwrites(tmp_path: Path) -> None:
    touch(tmp_path, "m.onnx")
    (tmp_path / "model.config.py").write_text("mine")
    assert refused(tmp_path) == "MB150"
    assert (tmp_path / "model.config.py").read_text() == "mine"


def test_it_does_not_write_through_a_link(tmp_path: Path) -> None:
    touch(tmp_path, "m.onnx")
    (tmp_path / "model.config.py").symlink_to("elsewhere.py")
    assert refused(tmp_path) == "MB150"
    assert not (tmp_path / "elsewhere.py").exists()


def test_without_a_model_it_writes_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "node_modules/x/m.onnx", ".venv/m.onnx", "dist/m.onnx", "env2/pyvenv.cfg", "env2/m.onnx")
    touch(tmp_path, "out2/.mbundle.json", "out2/assets/m.onnx", ".git/m.onnx", ".hidden.onnx")
    (tmp_path / "folder.onnx").mkdir()
    assert refused(tmp_path) == "MB151"
    assert not (tmp_path / "model.config.py").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    touch(tmp_path, "m.onnx")
    assert refused(tmp_path / "none") == "MB151"


@pytest.mark.parametrize(
    ("package", "files", "tool", "output"),
    [
        ({"devDependencies": {"vite": "^7"}}, (), "vite", "public/models"),
        ({"dependencies": {"next": "15"}, "devDependencies": {"webpack": "5"}}, (), "next", "public/models"),
        ({"devDependencies": {"@sveltejs/kit": "2", "vite": "7"}}, (), "@sveltejs/kit", "static/models"),
        ({"devDependencies": {"webpack": "5"}}, (), "webpack", "mbundle-output"),
        ({"devDependencies": {"webpack": "5"}}, ("public/index.html",), "webpack", "public/models"),
        ({"devDependencies": {"vite": "7"}}, ("public/models/m.onnx",), "vite", "public/mbundle"),
        ({}, (), "package.json", "mbundle-output"),
        ("not an object", (), "", "dist"),
        (None, (), "", "dist"),
    ],
)
def test_where_the_output_goes(tmp_path: Path, package: object, files: tuple[str, ...], tool: str, output: str) -> None:
    touch(tmp_path, "a.onnx", *files)
    if package is not None:
        (tmp_path / "package.json").write_text(json.dumps(package))
    assert web_project(str(tmp_path)).tool == tool
    assert run(tmp_path).exception is None
    assert load_config(str(tmp_path)).output.dir == str(tmp_path / output)


def test_names_say_what_the_model_is() -> None:
    paths = ["a/model.onnx", "b/Whisper.Tiny/onnx/encoder.onnx", "m1.onnx", "x/m1.onnx", "model.onnx", "models/é.onnx"]
    assert list(name_models(paths)) == ["a", "whisper-tiny", "m1", "m1-2", "model", "e"]


def test_many_models_are_bounded(tmp_path: Path) -> None:
    touch(tmp_path, *(f"m{number:02}.onnx" for number in range(30)))
    assert "first 20" in run(tmp_path).output
    assert len(load_config(str(tmp_path)).entries) == 20
    assert len(find_models(str(tmp_path))) == 30


def test_a_broken_package_json_is_no_matter(tmp_path: Path) -> None:
    touch(tmp_path, "a.onnx")
    (tmp_path / "package.json").write_text("{" * 10_000)
    assert run(tmp_path).exception is None
