"""The same inputs give the same bytes, whatever surrounds the build."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures import models

from . import dist
from .cli import HEAD, Ran, run, tree

pytestmark = pytest.mark.slow

CONFIG = (
    HEAD
    + """
ENTRIES = {
    "a": Entry(
        source="models/a.onnx",
        use=[simplify()],
        variants={"q8": [quantize_dynamic()], "fp32": []},
        assets=["words.txt"],
    ),
    "b": Entry(source="models/b.onnx"),
    "conv": Entry(source="models/conv.onnx", use=[simplify(), quantize_dynamic()], load="idle"),
    "branches": Entry(source="models/if.onnx", use=[simplify()]),
}
config = define_config(entries=ENTRIES, chunks=Chunks(min_size="4 KiB", max_size="64 KiB"))
"""
)


def write(app: Path) -> Path:
    (app / "models").mkdir(parents=True)
    models.save(models.mlp(layers=6), app / "models/a.onnx")
    models.save(models.decoder(), app / "models/b.onnx")
    models.save(models.conv_net(), app / "models/conv.onnx")
    models.save_external(models.if_model(width=128), app / "models/if.onnx")
    (app / "words.txt").write_text("one two")
    (app / "model.config.py").write_text(CONFIG)
    return app


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a plain build."""
    app = write(tmp_path_factory.mktemp("plain") / "app")
    run(app, "build", env={"PYTHONHASHSEED": "0"}).ok()
    dist.check(app / "dist")
    return app / "dist"


def reversed_entries(app: Path) -> Ran:
    (app / "model.config.py").write_text(CONFIG.replace("entries=ENTRIES", "entries=dict(reversed(ENTRIES.items()))"))
    return run(app, "build")


def other_environment(app: Path) -> Ran:
    changes = {"TZ": "Asia/Kathmandu", "LANG": "tr_TR.UTF-8", "LC_ALL": "C", "HOME": "/nonexistent", "COLUMNS": "40"}
    return run(app, "build", env=changes | {"SOURCE_DATE_EPOCH": "1", "USER": "somebody"})


def narrow_umask(app: Path) -> Ran:
    former = os.umask(0o077)
    try:
        return run(app, "build")
    finally:
        os.umask(former)


def warm_cache(app: Path) -> Ran:
    run(app, "build").ok()
    shutil.rmtree(app / "dist")
    stats = run(app, "build", "--json").ok()
    assert stats.json["steps"]["cached"] == stats.json["steps"]["total"] > 0
    return stats


def half_warm_cache(app: Path) -> Ran:
    """Every other step's result is lost, and another is damaged."""
    run(app, "build").ok()
    shutil.rmtree(app / "dist")
    records = sorted((app / ".mbundle/cache/mbundle-v1/steps").rglob("*"))
    for record in [path for path in records if path.is_file()][::2]:
        record.unlink()
    blobs = sorted(path for path in (app / ".mbundle/cache/mbundle-v1").rglob("*") if path.stat().st_size > 10_000)
    blobs[0].chmod(0o644)
    blobs[0].write_bytes(blobs[0].read_bytes()[:-1] + b"?")
    return run(app, "build")


def over_another_build(app: Path) -> Ran:
    """The folder holds an older build; files that both share stay, and those of the older one are left for old tabs."""
    models.save(models.mlp(3, layers=6), app / "models/a.onnx")
    run(app, "build").ok()
    models.save(models.mlp(layers=6), app / "models/a.onnx")
    return run(app, "build")


VARIATIONS: dict[str, Callable[[Path], Ran]] = {
    "hash seed": lambda app: run(app, "build", env={"PYTHONHASHSEED": "4711"}),
    "environment": other_environment,
    "umask": narrow_umask,
    "one job": lambda app: run(app, "build", "--jobs", "1"),
    "eight jobs": lambda app: run(app, "build", "--jobs", "8"),
    "one thread": lambda app: run(app, "build", env={"OMP_NUM_THREADS": "1"}),
    "no cache": lambda app: run(app, "build", "--no-cache"),
    "warm cache": warm_cache,
    "half of the cache": half_warm_cache,
    "cache elsewhere": lambda app: run(app, "build", "--cache-dir", str(app.parent / "elsewhere")),
    "order of entries": reversed_entries,
    "absolute config": lambda app: run(app.parent, "build", "--config", str(app / "model.config.py")),
    "relative config": lambda app: run(app / "models", "build", "--config", "../model.config.py"),
    "over another build": over_another_build,
}


@pytest.mark.parametrize("name", VARIATIONS)
def test_the_same_tree(name: str, plain: Path, tmp_path: Path) -> None:
    reference = tree(plain)
    app = write(tmp_path / "in" / "a folder with spaces, and ünïcode")
    VARIATIONS[name](app).ok()
    dist.check(app / "dist")
    built = tree(app / "dist")
    if name == "over another build":
        built = {file: built[file] for file in built if file in reference and file != ".mbundle.json"}
        assert built == {file: digest for file, digest in reference.items() if file != ".mbundle.json"}
    else:
        assert built == reference


def test_no_path_of_this_machine_is_emitted(plain: Path) -> None:
    secrets = [os.fsencode(path) for path in (plain.parent, Path.home() / "x", "/tmp/", Path.cwd())]
    for path in plain.rglob("*"):
        if path.is_file():
            assert [secret for secret in secrets if secret in path.read_bytes()] == [], path
