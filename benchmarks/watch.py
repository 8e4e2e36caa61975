"""From the end of a save to the swapped session in the page. `python -m benchmarks.watch`

A 90 MB encoder whose last layer changes again and again, under `mbundle serve`, with a page in Chromium that holds the
model: once as it is, once through quantize_weights(). Both sides come from the same rebuild: the moment at which the
file was renamed into place, those at which the manifest became another and the page's `onUpdate` was called, the
seconds of the build's steps in `.mbundle/stats.json` (each loader, and the comparison of its result with the source),
and a plain fetch of the files that changed. Exit status 1 when a figure is over its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from playwright.sync_api import Page, sync_playwright

from .build import Figure, make, project
from .processes import python

ROOT = Path(__file__).resolve().parent.parent
FACTOR, ADDED = 1.3, 0.5
"""Of the loaders' own time and the fetch, and seconds on top of that."""
HTML = '<!doctype html><title>watch</title><link rel="icon" href="data:,"><script type="module" src="main.js"></script>'
LOADS = """
import { load } from "./models/models.js";
const model = await load("encoder");
globalThis.swaps = [];
model.onUpdate(() => swaps.push(Date.now()));
globalThis.ready = true;
"""
FETCHES = """async (files) => {
  const began = performance.now();
  const get = async (file) => (await fetch(`models/assets/${file}`, { cache: "no-store" })).arrayBuffer();
  await Promise.all(files.map(get));
  return (performance.now() - began) / 1000;
}"""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Seconds. `manifest`, `swap`: since the end of the save."""

    manifest: float
    swap: float
    loaders: float
    fetch: float


def rebuilds(page: Page, work: Path, chain: str, runs: int) -> Iterator[Rebuild]:
    model = prepare(work, chain)
    last = max((it for it in model.graph.initializer if it.name.startswith("layer.5")), key=lambda it: it.ByteSize())
    serve = subprocess.Popen(
        python("-m", "bundler", "serve", "--json", "--exit-with-stdin"),
        cwd=work,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = awaited(serve, "listening")["url"]
        awaited(serve, "model-update")
        page.on("pageerror", lambda error: print(error, file=sys.stderr))
        page.goto(url)
        page.wait_for_function("globalThis.ready", timeout=120_000)
        known = assets(work)
        for run in range(runs + 1):
            time.sleep(2.5)  # a save a moment after the last is another thing to measure
            weights = numpy_helper.to_array(last) * np.float32(1 + (run + 1) / 100)
            last.CopyFrom(numpy_helper.from_array(weights, last.name))
            manifest, swap = save(page, work, model)
            awaited(serve, "model-update")
            changed, known = sorted(assets(work) - known), assets(work)
            if run:  # the first rebuild imports what none has needed yet
                yield Rebuild(manifest, swap, own_time(work), page.evaluate(FETCHES, changed))
    finally:
        serve.communicate()


def prepare(work: Path, chain: str) -> Any:
    project(work, {"encoder": "encoder.onnx"}, chain, 'dir="app/models", ort="self"')
    make("encoder", work / "encoder.onnx")
    (work / "app").mkdir()
    (work / "app/index.html").write_text(HTML)
    (work / "app/main.js").write_text(LOADS)
    (work / "node_modules").symlink_to(ROOT / "node_modules")
    return onnx.load(work / "encoder.onnx")


def save(page: Page, work: Path, model: Any) -> tuple[float, float]:
    """Seconds from the end of the save to the new manifest, and to the page's new session."""
    manifest = work / "app/models/model-manifest.json"
    before, swaps = manifest.stat().st_ino, page.evaluate("swaps.length")
    beside = work / ".encoder.tmp"
    beside.write_bytes(model.SerializeToString())
    os.replace(beside, work / "encoder.onnx")
    began = time.time()
    while manifest.stat().st_ino == before:
        time.sleep(0.001)
    written = time.time() - began
    page.wait_for_function(f"swaps.length > {swaps}", timeout=120_000)
    return written, page.evaluate("swaps.at(-1)") / 1000 - began


def awaited(serve: subprocess.Popen[bytes], kind: str) -> dict[str, Any]:
    assert serve.stdout is not None
    for line in serve.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["type"] == kind:
            return event
        if event["type"] in ("error", "build-unchanged"):
            raise SystemExit(str(event))
    raise SystemExit("The server ended.")


def assets(work: Path) -> set[str]:
    """Names of the files that the current manifest names."""
    manifest = json.loads((work / "app/models/model-manifest.json").read_text())
    variants = [variant for entry in manifest["entries"].values() for variant in entry["variants"]]
    chunks = [chunk["file"] for variant in variants for file in variant["data"] for chunk in file["chunks"]]
    return {*chunks, *(variant["graph"]["file"] for variant in variants)}


def own_time(work: Path) -> float:
    stats = json.loads((work / ".mbundle/stats.json").read_text())
    steps = [step for entry in stats["entries"] for variant in entry["variants"] for step in variant["steps"]]
    return float(sum(step["seconds"] for step in steps if step["status"] != "cached"))


def figure(what: str, taken: list[Rebuild]) -> Figure:
    def middle(name: str) -> float:
        return statistics.median(getattr(one, name) for one in taken)

    limit = FACTOR * (middle("loaders") + middle("fetch")) + ADDED
    detail = (
        f"{middle('swap'):.2f} s of {limit:.2f} s = {FACTOR} x ({middle('loaders'):.2f} s loaders + "
        f"{middle('fetch'):.2f} s fetch) + {ADDED} s; manifest after {middle('manifest'):.2f} s, "
        f"medians of {len(taken)}"
    )
    return Figure(what, middle("swap") / limit, 1, detail=detail)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", help="folder to work in; its disk is what is measured")
    arguments = parser.parse_args()
    held = True
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        for chain in ("", "quantize_weights()"):
            with tempfile.TemporaryDirectory(dir=arguments.work, prefix="mbundle-bench-") as folder:
                page = browser.new_context().new_page()
                taken = list(rebuilds(page, Path(folder), chain, arguments.runs))
                page.context.close()
            one = figure(f"save to swapped session, {chain or 'no loader'}: of what it may take", taken)
            print(one, flush=True)
            held = held and one.value <= one.limit
        browser.close()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
