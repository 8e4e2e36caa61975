"""Eight builds at once on one folder and one cache: each succeeds, and the result is that of one build alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fixtures import models

from . import dist
from .cli import Ran, command, configure, environment, leftovers, run, tree

pytestmark = pytest.mark.slow

ENTRIES = (
    "'a': Entry(source='a.onnx', use=[simplify()], variants={'q8': [quantize_dynamic()], 'fp32': []}),"
    "'b': Entry(source='b.onnx')"
)


def project(app: Path) -> Path:
    app.mkdir()
    models.save(models.mlp(layers=6), app / "a.onnx")
    models.save(models.decoder(), app / "b.onnx")
    configure(app, ENTRIES)
    return app


def together(
    apps: list[Path], *options: str, configs: list[str] | None = None
) -> list[subprocess.CompletedProcess[str]]:
    """One build in each folder, all begun before the first ends."""
    files = configs or ["model.config.py"] * len(apps)
    builds = [
        subprocess.Popen(
            command("build", "--config", file, *options),
            cwd=app,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for app, file in zip(apps, files, strict=True)
    ]
    told = [build.communicate(timeout=300) for build in builds]
    return [Ran(build.returncode, *streams).ok() for build, streams in zip(builds, told, strict=True)]


def test_eight_builds_of_one_config(tmp_path: Path) -> None:
    alone = project(tmp_path / "alone")
    run(alone, "build").ok()
    app = project(tmp_path / "app")
    for build in together([app] * 8):
        assert "warning[" not in build.stderr
    dist.check(app / "dist")
    assert tree(app / "dist") == tree(alone / "dist")
    assert leftovers(app) == []
    assert run(app, "build", "--json").ok().json["fresh"]


def test_builds_of_different_configs_into_one_folder_leave_one_of_them_whole(tmp_path: Path) -> None:
    app = project(tmp_path / "app")
    configs = []
    serial = []
    for number in range(4):
        models.save(models.mlp(number, width=96), app / f"own{number}.onnx")
        configure(app, f"'own{number}': Entry(source='own{number}.onnx'), 'b': Entry(source='b.onnx')")
        configs.append(f"config{number}.py")
        (app / "model.config.py").rename(app / configs[-1])
        run(app, "build", "--config", configs[-1]).ok()
        serial.append((app / "dist/model-manifest.json").read_bytes())
    together([app] * 8, "--no-cache", configs=configs * 2)
    dist.check(app / "dist")
    assert (app / "dist/model-manifest.json").read_bytes() in serial
    assert leftovers(app) == []


def test_eight_projects_share_one_cache(tmp_path: Path) -> None:
    apps = [project(tmp_path / f"app{number}") for number in range(8)]
    shared = tmp_path / "cache"
    together(apps, "--cache-dir", str(shared))
    first, *others = [tree(app / "dist") for app in apps]
    assert all(other == first for other in others)
    dist.check(apps[0] / "dist")
    again = project(tmp_path / "again")
    stats = run(again, "build", "--json", "--cache-dir", str(shared)).ok().json
    assert stats["steps"]["cached"] == stats["steps"]["total"] == 3
    assert tree(again / "dist") == first
