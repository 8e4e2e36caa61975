"""A disk that is full, and other things that the system refuses: one diagnostic, and the output is as it was."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures import models

from . import dist
from .cli import command, configure, environment, leftovers, run, tree

STEPS = "use=[simplify(), quantize_dynamic()]"


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 KiB: each file takes a page of 4 KiB, and the runtime has dozens."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    root.mkdir()
    models.save(models.mlp(width=400), root / "a.onnx")
    return root


def test_no_room_for_the_output(app: Path, tiny: Path) -> None:
    models.save(models.mlp(width=100), app / "small.onnx")
    output = f"output=Output(dir={str(tiny / 'dist')!r})"
    configure(app, "'a': Entry(source='small.onnx')", output)
    run(app, "build").ok()
    before = tree(tiny)
    configure(app, "'a': Entry(source='a.onnx')", output)
    ran = run(app, "build")
    assert ran.status == 1
    assert "error[MB405]" in ran.stderr
    assert "No space left on device" in ran.stderr
    assert tree(tiny) == before
    dist.check(tiny / "dist")


@pytest.mark.parametrize("steps", [STEPS, "use=[fill]"])
def test_no_room_for_a_step(steps: str, app: Path, tiny: Path) -> None:
    configure(app, f"'a': Entry(source='a.onnx', {steps})")
    config = app / "model.config.py"
    config.write_text(
        "import tempfile\n\n"
        "def fill(model):\n"
        "    open(tempfile.mkdtemp() + '/it', 'wb').write(bytes(1 << 20))\n"
        "    return model\n" + config.read_text()
    )
    ran = run(app, "build", "--cache-dir", str(tiny / "cache"))
    assert ran.status == 1
    assert "error[MB309]" in ran.stderr
    assert "fix: Free some space there" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (app / "dist").exists()
    assert leftovers(app) == []


def test_no_room_for_temporary_files_is_no_matter(app: Path, tiny: Path) -> None:
    """Scratch lies in the cache folder, which is where a user expects the gigabytes."""
    configure(app, f"'a': Entry(source='a.onnx', {STEPS})")
    run(app, "build", env={"TMPDIR": str(tiny)}).ok()
    assert [path for path in tiny.iterdir() if path.name != ".ses"] == []  # onnxruntime leaves that on import


def test_too_few_open_files(app: Path) -> None:
    configure(app, "".join(f"'a{number}': Entry(source='a.onnx', {STEPS})," for number in range(8)))
    build = subprocess.run(
        command("build", "--jobs", "8"),
        cwd=app,
        env=environment(),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24)),
        check=False,
    )
    assert build.returncode == 1, build.stderr
    assert "error[MB309]" in build.stderr
    assert "Too many open files" in build.stderr
    assert not (app / "dist").exists()


def test_a_folder_whose_name_is_not_text(tmp_path: Path) -> None:
    app = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    app.mkdir()
    models.save(models.mlp(), app / "a.onnx")
    configure(app, "'a': Entry(source='a.onnx')")
    ran = run(app, "build", "--json")
    assert ran.status == 2
    assert "error[MB109]" in ran.stderr
    assert ran.json["problems"][0]["code"] == "MB109"
