"""What magika makes of a file: its first and last 1024 bytes without white space around them, padded with 256."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SIDE, PADDING = 1024, 256
LABELS = {"py": "python", "js": "javascript", "md": "markdown", "sh": "shell", "yml": "yaml"}
"""Suffix of a sample -> magika's name for it, where they differ."""


def features() -> Iterator[dict[str, np.ndarray]]:
    """One sample a file in `samples/`, with its label."""
    described = json.loads(files("magika").joinpath("models/standard_v3_3/config.min.json").read_text())
    names = described["target_labels_space"]
    for path in sorted((HERE / "samples").iterdir()):
        suffix = path.suffix.removeprefix(".")
        label = names.index(LABELS.get(suffix, suffix))
        yield {"bytes": encoded(path.read_bytes())[None], "labels": np.array([label])}


def encoded(content: bytes) -> np.ndarray:
    """int32 [2048]."""
    begin, end = content[:4096].lstrip()[:SIDE], content[-4096:].rstrip()[-SIDE:]
    row = np.full(2 * SIDE, PADDING, np.int32)
    row[: len(begin)] = np.frombuffer(begin, np.uint8)
    row[2 * SIDE - len(end) :] = np.frombuffer(end, np.uint8)
    return row
