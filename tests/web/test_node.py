"""Runs the unit tests of single runtime modules, which need no browser, in Node."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "node"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.test.mjs")))
def test_module(name: str) -> None:
    done = subprocess.run(["node", "--test", str(FOLDER / name)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.slow
def test_200_000_mutated_manifests() -> None:
    environment = {**os.environ, "MUTATIONS": "200000", "SEED": "7"}
    test = str(FOLDER / "manifest.test.mjs")
    done = subprocess.run(["node", "--test", test], capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.slow
def test_10_000_corrupted_bytes() -> None:
    environment = {**os.environ, "CORRUPTIONS": "10000", "SEED": "7"}
    test = str(FOLDER / "corrupt.test.mjs")
    done = subprocess.run(["node", "--test", test], capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stdout[-6000:]
