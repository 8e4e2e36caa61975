"""Output folders as users get them: a project with a config, built by the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """from bundler import Chunks, Entry, Output, define_config
from bundler.loaders import *

config = define_config(
    entries={{{entries}}},
    output=Output(dir="dist", base={base!r}, ort={ort!r}),
    chunks=Chunks(min_size="64 KiB", max_size="512 KiB"),
)
"""


def build(folder: Path, sources: dict[str, Path], *, base: str = "./", use: str = "", ort: str = "app") -> Path:
    """Builds `sources` (entry name -> .onnx) and returns the output folder. `use`: loaders, as in a config."""
    entries = ", ".join(f"{name!r}: Entry(source={str(path)!r}, use=[{use}])" for name, path in sources.items())
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(ROOT / "node_modules")
    (folder / "model.config.py").write_text(CONFIG.format(entries=entries, base=base, ort=ort))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "bundler", "build"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"
