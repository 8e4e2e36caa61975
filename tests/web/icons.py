"""examples/icon-search in a folder of a test's own, and what the full model finds there natively."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from fixtures import minilm

from .plugins import ROOT

EXAMPLE = ROOT / "examples" / "icon-search"
EVERY = 8
"""Of the icons, so that a build does not embed for minutes."""
LINKED = ("onnxruntime-web", "typescript", "vite", "@huggingface", ".bin")
BAR = "{top10_overlap: 0.95, hit_rate: 0.36}"
GOLDEN = f"""golden=Golden(
                f"{{MODELS}}/lucide-golden.npz",
                calibration=f"{{MODELS}}/lucide-learn.npz",
                metrics={BAR},
            ),"""
SLOW = (GOLDEN, f", accuracy={BAR}")
EXPORTER = Path(os.environ.get("MBUNDLE_EXPORT_PYTHON") or ROOT / ".venv-export/bin/python")


def make(folder: Path) -> Path:
    """The app, whose node_modules are this repository's, with an eighth of the icons and the first variant alone, which
    nothing judges."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "dist", ".mbundle", "mbundle-*"))
    config = folder / "model.config.py"
    text = without("small", told(config.read_text()))
    for part in SLOW:
        assert part in text
        text = text.replace(part, "")
    config.write_text(text)
    (folder / ".venv" / "bin").mkdir(parents=True)
    program = folder / ".venv" / "bin" / "mbundle"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bundler "$@"\n')
    program.chmod(0o755)
    modules = folder / "node_modules"
    modules.mkdir()
    for name in LINKED:
        (modules / name).symlink_to((ROOT / "node_modules" / name).resolve())
    (modules / "mbundle").symlink_to(folder / "mbundle-plugin")
    (modules / "lucide-static").mkdir()
    for name in ("package.json", "tags.json", "icon-nodes.json"):
        content = minilm.icon_file(name)
        if name == "tags.json":
            content = json.dumps({icon: minilm.tags()[icon] for icon in icons()}).encode()
        (modules / "lucide-static" / name).write_bytes(content)
    return folder


def told(text: str) -> str:
    """The config with the models where they are; where torch is not, with the model that was made without."""
    minilm.checkpoint(), minilm.tokenizer_file(), minilm.calibration()
    source = 'source=f"{MODELS}/minilm",'
    assert source in text
    ready = 'source=f"{MODELS}/minilm.onnx", assets=[f"{MODELS}/minilm-tokenizer.json"],'
    exported = f"{source} export_python={str(EXPORTER)!r},"
    text = text.replace(source, exported if EXPORTER.exists() else ready)
    return text.replace('"../../.models"', repr(str(minilm.model().parent)))


def without(variant: str, text: str) -> str:
    """The config without one of its variants."""
    assert f'"{variant}": [' in text
    return f'{text}\ndel config.entries["icons"].variants["{variant}"]\n'


def icons() -> list[str]:
    return sorted({*sorted(minilm.tags())[::EVERY], "wallet"})


def read_as(icon: str) -> str:
    """As vite/icons.js describes it to the model."""
    tags = minilm.tags()[icon]
    return icon.replace("-", " ") + (f" ({', '.join(tags)})" if tags else "")


def nearest(queries: list[str], most: int = 10) -> dict[str, list[str]]:
    """Query -> icons, nearest first, by the model as it was trained, in float32, natively."""
    session = ort.InferenceSession(str(minilm.model()), providers=["CPUExecutionProvider"])
    tokenizer, names = minilm.tokenizer(), icons()
    known, asked = (
        np.stack([embedded(session, tokenizer.encode(text).ids) for text in texts])
        for texts in (map(read_as, names), queries)
    )
    scores = asked @ known.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    return {query: [names[at] for at in row] for query, row in zip(queries, order, strict=True)}


def embedded(session: Any, tokens: list[int]) -> np.ndarray:
    ids = np.array([tokens], np.int64)
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    mean = session.run(None, feeds)[0][0].mean(0)
    found: np.ndarray = mean / np.linalg.norm(mean)
    return found
