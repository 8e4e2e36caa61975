"""Checkpoints as sources, as far as no torch is needed: what is refused, and how it is told."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from bundler.cache import gc
from bundler.cache.keys import step_key
from bundler.cache.memo import Memo
from bundler.cache.store import Store
from bundler.export import kept
from bundler.export.toolchain import GENAI, REQUIREMENTS

from .cli import ROOT, Ran, Within, configure, run


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """The names of one; nothing gets as far as to read it."""
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["BertModel"], "model_type": "bert"}')
    (folder / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    return folder


def refused(ran: Ran, status: int, code: str, *parts: str) -> None:
    assert ran.status == status, ran.stderr
    assert f"error[{code}]" in ran.stderr
    assert "Traceback" not in ran.stderr
    for part in parts:
        assert part in " ".join(ran.stderr.split())


def test_a_missing_extra_is_one_message_with_the_command(checkpoint: Path) -> None:
    configure(checkpoint.parent, '"bert": Entry(source="bert")')
    ran = run(checkpoint.parent, "build", env={"MBUNDLE_EXPORT_PYTHON": ""})
    refused(ran, 1, "MB350", "lacks torch", "pip install 'mbundle[export]'")
    assert ran.stderr.count("error[") == 1
    configure(checkpoint.parent, '"bert": Entry(source="bert", exporter="genai")')
    ran = run(checkpoint.parent, "build", env={"MBUNDLE_EXPORT_PYTHON": ""})
    refused(ran, 1, "MB350", "onnxruntime-genai", "pip install 'mbundle[genai]'")


def test_a_python_that_is_none(checkpoint: Path, within: Within) -> None:
    root = checkpoint.parent
    configure(root, '"bert": Entry(source="bert", export_python="nowhere/python")')
    refused(within(root, "build"), 2, "MB356", "nowhere/python")
    configure(root, '"bert": Entry(source="bert", export_python="bert/config.json")')
    refused(within(root, "build"), 2, "MB356", "cannot be run")
    configure(root, '"bert": Entry(source="bert")', 'export_python="/bin/false"')
    refused(within(root, "build"), 1, "MB356", "/bin/false")


def test_options_of_exports_belong_to_checkpoints(app: Path, within: Within) -> None:
    configure(app, '"a": Entry(source="models/a.onnx", task="fill-mask")')
    refused(within(app, "build"), 2, "MB131", "`task` of Entry is about checkpoints")


def test_the_precision_is_genais(checkpoint: Path, within: Within) -> None:
    configure(checkpoint.parent, '"a": Entry(source="bert", precision="int4")')
    refused(within(checkpoint.parent, "build"), 2, "MB131", "`precision` of Entry", 'exporter="genai"')


def test_a_checkpoint_of_the_hub_that_is_not_here(tmp_path: Path) -> None:
    configure(tmp_path, '"a": Entry(source="hf:nobody/has-this")')
    ran = run(tmp_path, "build", env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")})
    refused(ran, 1, "MB354", "nobody/has-this")


def test_a_checkpoint_of_the_hub_is_found_in_its_cache(checkpoint: Path) -> None:
    """It gets as far as to need torch, which says that its files were found."""
    root = checkpoint.parent
    repo = root / "hub/models--some--bert"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text("0123456789abcdef")
    (repo / "snapshots").mkdir()
    checkpoint.rename(repo / "snapshots/0123456789abcdef")
    configure(root, '"a": Entry(source="hf:some/bert")')
    refused(run(root, "build", env={"HF_HUB_CACHE": str(root / "hub"), "MBUNDLE_EXPORT_PYTHON": ""}), 1, "MB350")
    configure(root, '"a": Entry(source="hf:some/bert@v2")')
    ran = run(root, "build", env={"HF_HUB_CACHE": str(root / "hub"), "HF_HUB_OFFLINE": "1"})
    refused(ran, 1, "MB354")


def test_a_folder_with_a_model_stands_for_that(app: Path, within: Within) -> None:
    """As before: a checkpoint's config beside it changes nothing."""
    folder = app / "one"
    folder.mkdir()
    (app / "models/a.onnx").rename(folder / "model.onnx")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    configure(app, '"a": Entry(source="one")')
    assert within(app, "build", "--json").ok().json["entries"][0]["name"] == "a"


def test_export_as_a_command_replaces_nothing(checkpoint: Path, within: Within) -> None:
    root = checkpoint.parent
    refused(within(root, "export", "bert", "--out", "bert"), 2, "MB358")
    refused(within(root, "export", "nothing"), 2, "MB191", '"nothing" is none')


def test_the_command_and_the_extra_name_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(REQUIREMENTS) == sorted(project["optional-dependencies"]["export"])
    assert sorted(GENAI) == sorted(project["optional-dependencies"]["genai"])


def test_what_was_kept_is_found_until_it_is_damaged_or_old(tmp_path: Path) -> None:
    key = step_key(model="", loader="export", version="1", options=(("task", "auto"),))
    with Store(str(tmp_path)) as store:
        memo = Memo(store)
        assert kept.find(store, memo, key) is None
        made = store.scratch("exported")
        Path(made, "model.onnx").write_bytes(b"model")
        folder = kept.keep(store, memo, key, made, {"parts": ["model.onnx"]})
        assert kept.find(store, Memo(store), key) == (folder, {"parts": ["model.onnx"]})
        assert [step.loader for step in gc.scan(store).steps] == ["export"]
        Path(folder, "model.onnx").write_bytes(b"nodel")
        assert kept.find(store, Memo(store), key) is None
        assert not Path(folder).exists()
        Path(made := store.scratch("exported"), "model.onnx").write_bytes(b"model")
        folder = kept.keep(store, memo, key, made, {})
    assert gc.collect(store, gc.Limits(size=0, age=0, grace=0)).steps == 1
    assert not Path(folder).exists()


def test_assets_of_a_checkpoint_are_those_that_a_page_wants(checkpoint: Path, within: Within) -> None:
    """Seen by the config alone: with a model in the folder they are not taken."""
    from bundler.config.checkpoints import assets_of, find_checkpoint

    for name in ("vocab.txt", "tokenizer_config.json", "README.md", "preprocessor_config.json"):
        (checkpoint / name).write_text(json.dumps(name))
    spec = find_checkpoint("bert", str(checkpoint.parent))
    names = [Path(path).name for path in assets_of(spec)]
    assert names == ["config.json", "preprocessor_config.json", "tokenizer_config.json", "vocab.txt"]
    (checkpoint / "tokenizer.json").write_text("{}")
    assert "vocab.txt" not in [Path(path).name for path in assets_of(find_checkpoint("bert", str(checkpoint.parent)))]
