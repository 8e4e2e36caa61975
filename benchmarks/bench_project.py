"""The project that the benchmarks of `mbundle bench` measure: magika, as 8-bit and as it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .processes import python

ROOT = Path(__file__).resolve().parent.parent
CONFIG = """from bundler import Entry, Output, define_config
from bundler.loaders import quantize_dynamic
config = define_config(
    entries={"magika": Entry(source=%r, variants={"q8": [quantize_dynamic()], "fp32": []})}, output=Output(dir="dist")
)
"""


def prepare(folder: Path) -> Path:
    """Builds it in `folder`; returns the output folder."""
    from fixtures.real_models import path

    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    (folder / "model.config.py").write_text(CONFIG % str(path("magika")))
    mbundle(folder, "build")
    return folder / "dist"


def mbundle(folder: Path, *arguments: str) -> str:
    """What the command prints to stdout. Exits when it fails."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = python("-m", "bundler", *arguments)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout
