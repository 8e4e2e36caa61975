"""A small language model, smaller: bytes, quality, speed. `python -m benchmarks.decoder`

fp32 beside smaller caches and 4-bit weights, of the decoder that `python -m fixtures.decoder` trains; "gqa" is the same
one with GroupQueryAttention. Natively: perplexity on text that it has not seen, through the cache in pieces, and how
often its likeliest token is fp32's. In Chromium: tokens a second, the median of --rounds in which all take turns,
beside `@huggingface/transformers` (`npm ci` in benchmarks/load_page) on the same fp32 and 4-bit files. Exit
status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from bundler.emit.manifest import Variant, read_manifest
from bundler.measure.assemble import GRAPH, assemble
from bundler.measure.chromium import arguments
from fixtures import decoder
from fixtures.decoder import grouped
from fixtures.decoder.native import Native
from fixtures.decoder.shape import SHAPE

from .build import Figure
from .load import PAGE, ROOT, peer
from .load_server import Mounts, serving
from .processes import python

CONFIG = """from bundler import Entry, define_config
from bundler.loaders import kv_cache, quantize_weights

config = define_config(entries={"grouped": Entry(source="grouped.onnx", variants={
    "gqa": [],
    "gqa-kv8": [kv_cache("int8")],
    "gqa-kv4": [kv_cache("int4")],
}), "writer": Entry(source="model.onnx", variants={
    "fp32": [],
    "fp32-kv16": [kv_cache()],
    "fp32-kv8": [kv_cache("int8")],
    "q4": [quantize_weights(bits=4)],
    "q4-kv8": [quantize_weights(bits=4), kv_cache("int8")],
})})
"""
PIECE, WINDOW = 8, 256
"""Tokens a step, and tokens a text, of the perplexity: all but the first piece is read through the cache."""
PROMPT = 16


@dataclass
class Row:
    """`same`: share of tokens for which fp32 has the same likeliest one. `greedy`: tokens that are written as fp32
    writes them, until the first other one, of all."""

    nbytes: int
    token: int
    perplexity: float
    same: float
    greedy: float
    steps: list[float] = field(default_factory=list)


def prepare(folder: Path) -> tuple[Variant, ...]:
    """Builds in `folder`; puts the files of fp32 and q4 where transformers.js looks for them."""
    import onnx

    shutil.copytree(decoder.folder(), folder, dirs_exist_ok=True)
    onnx.save(grouped.grouped(SHAPE, grouped.weights_of(str(folder / "model.onnx"))), folder / "grouped.onnx")
    (folder / "model.config.py").write_text(CONFIG)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(python("-m", "bundler", "build"), cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    entries = read_manifest(str(folder / "dist")).entries
    variants = (*entries["writer"].variants, *entries["grouped"].variants)
    (folder / "onnx").mkdir()
    for variant in variants:
        if variant.name in ("fp32", "q4"):
            suffix = "" if variant.name == "fp32" else "_q4"
            target = folder / "onnx" / f"model{suffix}.onnx"
            save_whole(assembled(folder, variant), target)
    return variants


def assembled(folder: Path, variant: Variant) -> str:
    place = folder / "native" / variant.name
    return str(place / GRAPH) if place.exists() else assemble(str(folder / "dist"), variant, str(place))


def save_whole(path: str, target: Path) -> None:
    import onnx

    onnx.save(onnx.load(path), target)


def judged(folder: Path, variants: tuple[Variant, ...], windows: int) -> dict[str, Row]:
    held = np.load(folder / "held-out.npy")
    texts = [held[start : start + WINDOW].tolist() for start in range(0, windows * WINDOW, WINDOW)]
    rows: dict[str, Row] = {}
    reference: tuple[Any, list[list[int]]] | None = None
    for variant in variants:
        native = Native(assembled(folder, variant))
        scores = np.concatenate([scored(native, text) for text in texts])
        greedy = [native.greedy(text[:PROMPT], 64) for text in texts]
        reference = reference or (scores.argmax(axis=1), greedy)
        targets = np.concatenate([text[1:] for text in texts])
        assert variant.generation is not None
        rows[variant.name] = Row(
            variant.measured.nbytes,
            variant.generation.bytes_per_token,
            perplexity(scores, targets),
            float((scores.argmax(axis=1) == reference[0]).mean()),
            sum(map(alike, greedy, reference[1])) / sum(map(len, reference[1])),
        )
    return rows


def scored(native: Native, text: list[int]) -> Any:
    """[len(text) - 1, words], read in pieces."""
    native.begin()
    pieces = [native.feed(text[start : start + PIECE]) for start in range(0, len(text), PIECE)]
    return np.concatenate(pieces)[:-1].astype(np.float64)


def perplexity(scores: Any, targets: Any) -> float:
    top = scores.max(axis=1)
    sums = np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top
    return float(np.exp((sums - scores[np.arange(len(targets)), targets]).mean()))


def alike(one: list[int], other: list[int]) -> int:
    pairs = list(zip(one, other, strict=False))
    return next((index for index, (a, b) in enumerate(pairs) if a != b), len(pairs))


WAYS: dict[str, tuple[str, dict[str, str]]] = {
    **{
        name: ("ours", {"entry": entry, "variant": name})
        for entry, names in (
            ("writer", ("fp32", "fp32-kv16", "fp32-kv8", "q4", "q4-kv8")),
            ("grouped", ("gqa", "gqa-kv8", "gqa-kv4")),
        )
        for name in names
    },
    "transformers.js fp32": ("transformers", {"dtype": "fp32"}),
    "transformers.js q4": ("transformers", {"dtype": "q4"}),
}


def timed(browser: Browser, origin: str, prompt: list[int], count: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Way -> {"steps": milliseconds a token, "tokens"}; each way in a page of its own that stays open."""
    pages = {name: opened(browser, origin, *way, prompt) for name, way in WAYS.items()}
    found: dict[str, dict[str, Any]] = {name: {"steps": [], "tokens": []} for name in pages}
    for _ in range(rounds):
        for name, page in pages.items():
            script = "async ([prompt, count]) => (await import('/page/decoder.js')).write(prompt, count)"
            got = page.evaluate(script, [prompt, count])
            found[name]["steps"].append(statistics.median(got["steps"]))
            found[name]["tokens"] = got["tokens"]
    return found


def opened(browser: Browser, origin: str, way: str, options: dict[str, str], prompt: list[int]) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{origin}/page/decoder.html")
    script = "async ([way, options, prompt]) => (await import('/page/decoder.js')).open(way, options, prompt)"
    page.evaluate(script, [way, {"dist": "/models/writer/dist/", "folder": "models/writer", **options}, prompt])
    return page


def show(rows: dict[str, Row], times: dict[str, dict[str, Any]]) -> None:
    print(f"{'':22}{'bytes':>10}{'B a token':>11}{'perplexity':>12}{'same best':>11}{'greedy':>9}{'tokens/s':>10}")
    for name in WAYS:
        row, speed = rows.get(name), 1000 / statistics.median(times[name]["steps"])
        facts = " " * 53
        if row is not None:
            facts = f"{row.nbytes:10}{row.token:11}{row.perplexity:12.3f}{row.same:11.1%}{row.greedy:9.1%}"
        print(f"{name:22}{facts}{speed:10.1f}")


def goals(rows: dict[str, Row], times: dict[str, dict[str, Any]]) -> Iterator[Figure]:
    full, small = rows["fp32"], rows["q4-kv8"]
    step = {name: statistics.median(found["steps"]) for name, found in times.items()}
    yield Figure("q4-kv8: bytes, of fp32's", small.nbytes / full.nbytes, 0.2)
    yield Figure("kv8: bytes a token, of fp32's", small.token / full.token, 0.27)
    yield Figure("kv16: perplexity, of fp32's", rows["fp32-kv16"].perplexity / full.perplexity, 1.001)
    yield Figure("kv8: perplexity, of fp32's", rows["fp32-kv8"].perplexity / full.perplexity, 1.005)
    yield Figure("q4-kv8: perplexity, of fp32's", small.perplexity / full.perplexity, 1.1)
    yield Figure("gqa-kv8: bytes a token, of fp32's", rows["gqa-kv8"].token / full.token, 0.25)
    yield Figure("gqa-kv8: perplexity, of fp32's", rows["gqa-kv8"].perplexity / full.perplexity, 1.005)
    yield Figure("gqa-kv4: bytes a token, of fp32's", rows["gqa-kv4"].token / full.token, 0.125)
    yield Figure("gqa-kv4: perplexity, of fp32's", rows["gqa-kv4"].perplexity / full.perplexity, 1.1)
    yield Figure("fp32: time a token, of transformers.js'", step["fp32"] / step["transformers.js fp32"], 1.1)
    yield Figure("q4: time a token, of transformers.js'", step["q4"] / step["transformers.js q4"], 1.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--windows", type=int, default=24, help=f"of {WINDOW} held-out tokens")
    wish = parser.parse_args()
    modules = peer()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name) / "writer"
        variants = prepare(folder)
        rows = judged(folder, variants, wish.windows)
        prompt = np.load(folder / "held-out.npy")[:PROMPT].tolist()
        mounts = Mounts(
            {
                "/page/": PAGE,
                "/models/": Path(name),
                "/ort/": ROOT / "node_modules/onnxruntime-web/dist",
                **modules,
            }
        )
        with serving(mounts) as origin:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments("none"))
            times = timed(browser, origin, prompt, wish.tokens, wish.rounds)
            browser.close()
    show(rows, times)
    for ours, theirs in (("fp32", "transformers.js fp32"), ("q4", "transformers.js q4")):
        same = alike(times[ours]["tokens"], times[theirs]["tokens"])
        print(f"{ours} and {theirs} write the same {same} of {wish.tokens} tokens")
    print()
    figures = list(goals(rows, times))
    for figure in figures:
        print(figure)
    return 0 if all(figure.value <= figure.limit for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
