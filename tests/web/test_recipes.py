"""The code in docs/recipes as it stands: written to files by the names in its first lines, built, run in Chromium."""

from __future__ import annotations

import io
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import BrowserContext, Page

from bundler.emit.manifest import read_manifest
from bundler.measure.assemble import assemble
from fixtures import decoder, minilm, real_models
from fixtures.decoder.native import Native

from .conftest import IMPORTS, ORT, ROOT
from .plugins import environment
from .server import ISOLATED, Site, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.models]

RECIPES = ROOT / "docs" / "recipes"
BLOCK = re.compile(r"^```(?:js|python)\n((?:#|//) ([\w.-]+)\n.*?)^```$", re.MULTILINE | re.DOTALL)
TOKENIZERS = ROOT / "node_modules" / "@huggingface" / "tokenizers" / "dist"
PAGE = {"imports": {**IMPORTS["imports"], "@huggingface/tokenizers": "/tokenizers/tokenizers.mjs"}}
LINES = ("Drop a file here", "Total: 1,234.56 EUR", "The quick brown fox")


def written(recipe: str, folder: Path) -> None:
    """All blocks of a page, with the real models in `models/`."""
    blocks = BLOCK.findall((RECIPES / f"{recipe}.md").read_text())
    assert "model.config.py" in [name for _, name in blocks]
    for text, name in blocks:
        (folder / name).write_text(text)
    (folder / "models").symlink_to(real_models.FOLDER)
    for script in (name for _, name in blocks if name.endswith(".py") and name != "model.config.py"):
        subprocess.run([sys.executable, script], cwd=folder, check=True, timeout=300)
    command = [sys.executable, "-m", "bundler", "build"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr


def opened(site: Site, context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(f"{site.origin}/")
    return page


def site_of(folder: Path) -> Site:
    page = f'<!doctype html><title>recipe</title><script type="importmap">{json.dumps(PAGE)}</script>'
    mounts = {"/ort/": ORT, "/tokenizers/": TOKENIZERS, "/models/": real_models.FOLDER.resolve(), "/": folder}
    return Site(mounts=mounts, pages={"/": page}, headers=ISOLATED)


def picture(lines: tuple[str, ...], upside_down: bool = False) -> list[int]:
    """A PNG of lines of text."""
    font = ImageFont.load_default(size=30)
    image = Image.new("RGB", (420, 20 + 70 * len(lines)), "white")
    for at, line in enumerate(lines):
        ImageDraw.Draw(image).text((30, 20 + 70 * at), line, fill="black", font=font)
    buffer = io.BytesIO()
    (image.rotate(180) if upside_down else image).save(buffer, "PNG")
    return list(buffer.getvalue())


def test_image_classifier(tmp_path: Path, context: BrowserContext) -> None:
    real_models.path("ppocr-cls")
    written("image-classifier", tmp_path)
    script = """async (bytes) => {
      const { classify } = await import("/classify.js");
      return classify(await createImageBitmap(new Blob([new Uint8Array(bytes)])));
    }"""
    with serving(site_of(tmp_path)) as site:
        page = opened(site, context)
        for turned in (False, True):
            best, other = page.evaluate(script, picture((LINES[0],), turned))
            assert best["label"] == ("on its head" if turned else "upright")
            assert best["score"] + other["score"] == pytest.approx(1, abs=1e-3)


def test_ocr(tmp_path: Path, context: BrowserContext) -> None:
    real_models.path("ppocr-det"), real_models.path("ppocr-rec")
    written("ocr", tmp_path)
    script = """async (bytes) => {
      const { ocr } = await import("/ocr.js");
      return ocr(new Blob([new Uint8Array(bytes)]));
    }"""
    with serving(site_of(tmp_path)) as site:
        page = opened(site, context)
        found = page.evaluate(script, picture(LINES))
        assert [one["text"].replace(" ", "") for one in found] == [line.replace(" ", "") for line in LINES]
        assert len(site.asked(r"^/ort/.*\.wasm$")) == 1
        assert len([worker for worker in page.workers if "/runtime-" in worker.url]) == 1


def test_voice_activity(tmp_path: Path, context: BrowserContext) -> None:
    real_models.path("silero-vad")
    written("voice-activity", tmp_path)
    pieces = vowels(24)
    script = """async (pieces) => {
      const { Vad } = await import("/vad.js");
      const vad = await Vad.open();
      return Promise.all(pieces.map((piece) => vad.hear(Float32Array.from(piece))));
    }"""
    with serving(site_of(tmp_path)) as site:
        page = opened(site, context)
        heard = page.evaluate(script, pieces.tolist())
        assert np.allclose(heard, spoken(pieces), atol=1e-3)
        assert page.evaluate("import('/microphone.js').then(({ listen }) => typeof listen)") == "function"
        assert page.evaluate("new OfflineAudioContext(1, 9, 16000).audioWorklet.addModule('/pieces.js').then(() => 1)")


def vowels(count: int) -> np.ndarray:
    """float32 [count, 512]: silence, then a voice-like sound, so that what is heard depends on what was."""
    time = np.arange(count * 512) / 16000
    tone = sum(np.sin(2 * np.pi * 130 * k * time) / (1 + abs(130 * k - 700) / 200) for k in range(1, 25))
    made: np.ndarray = (0.2 * tone * (time > count * 512 / 48000)).astype(np.float32).reshape(count, 512)
    return made


def spoken(pieces: np.ndarray) -> list[float]:
    """Natively, as silero's own code feeds its model."""
    session = ort.InferenceSession(str(real_models.path("silero-vad")), providers=["CPUExecutionProvider"])
    state, before = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32)
    found = []
    for piece in pieces:
        feeds = {"input": np.concatenate([before, piece])[None], "state": state, "sr": np.array(16000, np.int64)}
        output, state = session.run(None, feeds)
        before = piece[-64:]
        found.append(float(output[0, 0]))
    assert max(found) - min(found) > 0.01
    return found


def test_embeddings(tmp_path: Path, context: BrowserContext) -> None:
    minilm.model(), minilm.tokenizer_file()
    written("embeddings", tmp_path)
    script = """async (texts) => {
      const { embed, likeness } = await import("/embed.js");
      const [a, b, c] = await Promise.all(texts.map(embed));
      return { vector: [...a], near: likeness(a, b), far: likeness(a, c) };
    }"""
    texts = ["a wallet with money", "cash in my purse", "rain on the mountain"]
    with serving(site_of(tmp_path)) as site:
        found: Any = opened(site, context).evaluate(script, texts)
        assert found["near"] > 0.3 + found["far"]
        assert np.dot(found["vector"], natively(texts[0])) > 0.99


def natively(text: str) -> np.ndarray:
    ids = np.array([minilm.tokenizer().encode(text).ids], np.int64)
    session = ort.InferenceSession(str(minilm.model()), providers=["CPUExecutionProvider"])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    mean = session.run(None, feeds)[0][0].mean(0)
    made: np.ndarray = mean / np.linalg.norm(mean)
    return made


def test_language_model(tmp_path: Path, context: BrowserContext) -> None:
    decoder.folder()
    written("language-model", tmp_path)
    script = """async ([prompt, count]) => {
      const { write } = await import("/write.js");
      const seen = [];
      const text = await write(prompt, (text) => seen.push(text), { max_new_tokens: count });
      return { text, seen };
    }"""
    prompt, count = "The function returns", 24
    with serving(site_of(tmp_path)) as site:
        found: Any = opened(site, context).evaluate(script, [prompt, count])
    assert found["text"] == found["seen"][-1] == continued(tmp_path, prompt, count)
    assert len(found["seen"]) == count
    assert all(later.startswith(text.rstrip("\ufffd")) for text, later in itertools.pairwise(found["seen"]))


def continued(folder: Path, prompt: str, count: int) -> str:
    """By the emitted files, in native onnxruntime."""
    words: Any = pytest.importorskip("tokenizers").Tokenizer.from_file(str(decoder.folder() / "tokenizer.json"))
    emitted = read_manifest(str(folder / "dist")).entries["writer"].variants[0]
    native = Native(assemble(str(folder / "dist"), emitted, str(folder / "native")))
    text: str = words.decode(native.greedy(words.encode(prompt).ids, count))
    return text
