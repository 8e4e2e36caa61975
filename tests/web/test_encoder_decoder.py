"""From a checkpoint of an encoder-decoder to a page that writes what torch does; the encoder runs once for a text."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from ..cli import ROOT, run
from .conftest import BLANK, ORT, value
from .server import Site, serving
from .test_export_torch import PYTHON, checkpoints

pytestmark = [
    pytest.mark.slow,
    pytest.mark.torch,
    pytest.mark.browser,
    pytest.mark.skipif(not PYTHON.exists(), reason="scripts/test makes .venv-export"),
]
CONFIG = f"""from bundler import Entry, define_config
from bundler.loaders import fuse, kv_cache, quantize_weights, simplify

config = define_config(export_python={str(PYTHON)!r}, entries={{
    "translate": Entry(source="translator", variants={{
        "fp32": [],
        "small": [simplify(), quantize_weights(bits=8), kv_cache("int8")],
        "fused": [fuse()],
    }}),
    "summarise": Entry(source="summariser"),
}})
"""
TEXTS = [[25, 31, 22, 21, 35, 30], [20, 33], [28] * 5]
ENDS = {"translate": 1, "summarise": 2}
COUNT = 24
WRITE = """
const model = await m.load(arg.entry, arg.options);
const told = [];
const texts = [];
for (const options of arg.texts) {
  texts.push(await model.generate({ ...options, onToken: (token) => told.push(token) }));
}
const { generation, info } = model;
await model.dispose();
return { texts, told, generation, info };
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translator")
    checkpoints(folder, "translator", "summariser")
    (folder / "model.config.py").write_text(CONFIG)
    run(folder, "build", timeout=600).ok()
    return folder


@pytest.fixture
def page(project: Path, chromium: Any) -> Iterator[Page]:
    with serving(Site(mounts={"/dist/": project / "dist", "/ort/": ORT}, pages={"/": BLANK})) as site:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(site.origin + "/")
        yield page
        context.close()


def texts(entry: str, **options: Any) -> list[dict[str, Any]]:
    return [{"input_ids": [*text, ENDS[entry]], "max_new_tokens": COUNT, **options} for text in TEXTS]


def by_torch(project: Path, entry: str, name: str) -> list[list[int]]:
    given = [",".join(map(str, text["input_ids"])) for text in texts(entry)]
    command = [PYTHON, "-P", ROOT / "tests/torch_texts.py", project / name, str(COUNT), *given]
    found: list[list[int]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [text[: text.index(ENDS[entry])] if ENDS[entry] in text else text for text in found]


def written(page: Page, entry: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = value(page, WRITE, {"entry": entry, "texts": texts(entry), "options": {}, **more})
    return found


def test_greedy_tokens_are_those_of_torch(project: Path, page: Page) -> None:
    """Of a T5, whose tied embedding both stages share, and of a BART, whose files rule what is written."""
    for entry, name in (("translate", "translator"), ("summarise", "summariser")):
        expected = by_torch(project, entry, name)
        assert len({tuple(text) for text in expected}) == len(TEXTS)
        assert max(len(set(text)) for text in expected) > 2
        found = written(page, entry, options={"variant": "fp32"} if entry == "translate" else {})
        assert [text["tokens"] for text in found["texts"]] == expected, entry
        assert found["told"] == [token for text in expected for token in text]
