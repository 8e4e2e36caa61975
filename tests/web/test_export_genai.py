"""A language model from its checkpoint through onnxruntime-genai's builder to a page, which writes what torch does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import decoder

from .. import dist
from ..cli import ROOT, run
from .conftest import value
from .test_export_torch import PYTHON, asked, wrapped

BUILDER = list(PYTHON.parent.parent.glob("lib/python*/site-packages/onnxruntime_genai"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.torch,
    pytest.mark.models,
    pytest.mark.browser,
    pytest.mark.skipif(not BUILDER, reason="scripts/test puts onnxruntime-genai into .venv-export"),
]
CONFIG = """from bundler import Entry, define_config
from bundler.loaders import kv_cache

config = define_config(entries={
    "writer": Entry(source="llama", exporter="genai", variants={%s}),
    "small": Entry(source="llama", exporter="genai", precision="int4"),
}, export_python="./python")
"""
COUNT = 24
WRITE = """
  const model = await m.load(arg.entry, { variant: arg.variant });
  const texts = [];
  for (const input_ids of arg.prompts)
    texts.push((await model.generate({ input_ids, max_new_tokens: arg.count, eos_token_id: [] })).tokens);
  return texts;
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    decoder.checkpoint(tmp_path / "llama")
    return wrapped(tmp_path)


def greedy(project: Path, prompts: list[list[int]]) -> list[list[int]]:
    folder = str(project / "llama")
    command = [PYTHON, "-P", ROOT / "tests/torch_texts.py", str(COUNT), json.dumps({folder: prompts})]
    texts: dict[str, list[list[int]]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return texts[folder]


def test_from_a_checkpoint_to_a_page_that_writes(project: Path, visit: Callable[..., Any]) -> None:
    (project / "model.config.py").write_text(CONFIG % '"full": [], "int8": [kv_cache("int8")]')
    small, writer = run(project, "build", "--json", timeout=900).ok().json["entries"]
    assert asked(project) == ["probe", "export", "probe", "export"]
    assert (writer["export"]["exporter"], writer["export"]["task"]) == ("genai", "text-generation-with-past")
    assert writer["export"]["compared"]["logits"]["cosine"] > 0.999999
    assert "by onnxruntime-genai" in writer["notes"][0]
    assert small["export"]["precision"] == "int4"
    assert small["bytes"] < writer["bytes"] / 2
    assert 0.9 < small["export"]["compared"]["logits"]["cosine"] < 0.9999

    held = np.load(decoder.folder() / "held-out.npy").tolist()
    prompts = [held[start : start + 12] for start in (1, 501, 1001)]
    expected = greedy(project, prompts)
    wish = {"entry": "writer", "prompts": prompts, "count": COUNT}
    page = visit()
    assert value(page, WRITE, wish | {"variant": "full"}) == expected
    for entry, variant, least in (("writer", "int8", 0.8), ("small", "default", 0.2)):
        found = value(page, WRITE, wish | {"entry": entry, "variant": variant})
        assert np.mean(np.array(found) == np.array(expected)) >= least

    manifest = dist.check(project / "dist")["entries"]
    full, recoded = manifest["writer"]["variants"]
    assert "GroupQueryAttention" in str(full["requires"])
    assert full["generation"]["inPlace"]
    assert (recoded["generation"]["dtype"], recoded["generation"]["inPlace"]) == ("int8", True)
    assert recoded["providers"] == ["wasm"]  # kept inside the operator
    assert {"config.json", "generation_config.json", "tokenizer.json"} == {
        asset["name"] for asset in manifest["writer"]["assets"]
    }
    (project / "model.config.py").write_text(CONFIG % '"full": []')
    assert all(one["export"]["cached"] for one in run(project, "build", "--json").ok().json["entries"])
    assert asked(project) == ["probe", "probe"]
