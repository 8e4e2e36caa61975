"""Every loader on every real model, alone: bytes, and agreement with the source natively and in Chromium's wasm.

`python -m benchmarks.loaders [model ...]`. One build makes all variants; each is then run on the same inputs, which are
its golden set, by native onnxruntime and, through the emitted runtime, by onnxruntime-web. A cell is the least cosine
of an output with what the source gives natively, and what goes over the wire with brotli and zstd. Exit status 1 when a
variant does not run, is bigger than its source, is further off than its loader allows or has a remark on, is another
model in the browser than natively, or when a file is emitted compressed that saves less than 5 %. Needs
`scripts/models`, npm's onnxruntime-web and Chromium; about ten minutes. `--markdown FILE` writes the tables of
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, sync_playwright

from bundler.loaders.registry import loader_class
from fixtures import minilm, real_models
from tests.web import real
from tests.web.conftest import ARGS, BLANK, ORT, outcome
from tests.web.server import Site, serving

from .loaders_table import Row, markdown
from .processes import python, wall

LOADERS = {
    "source": "",
    "simplify": "simplify()",
    "fuse": "fuse()",
    "dce": "dce()",
    "dedupe": "dedupe()",
    "dynamic": "quantize_dynamic()",
    "dynamic-per-channel": "quantize_dynamic(per_channel=True)",
    "static": "quantize_static(SAMPLES)",
    "weights-8": "quantize_weights()",
    "weights-8-rows": "quantize_weights(block_size='row')",
    "weights-4": "quantize_weights(bits=4)",
    "weights-4-calibrated": "quantize_weights(bits=4, block_size=64, symmetric=False, calibrate=True)",
    "float16": "float16()",
    "prune": "prune(structured=0.1)",
    "sparse": "prune(sparsity=0.5)",
    "kv_cache": "kv_cache()",
}
EXACT_PRODUCTS = ("session.x64quantprecision", "1")
"""Processors with AVX2 and no VNNI add products of uint8 and int8 in 16 bits, which overflow; with this they do not,
nor in any browser."""
MODELS = (*real_models.REAL_MODELS, "minilm")


def rows(work: Path, names: list[str]) -> Iterator[Row]:
    build(work, names)
    stats = json.loads((work / ".mbundle/stats.json").read_bytes())
    manifest = json.loads((work / "dist/model-manifest.json").read_bytes())
    steps = {(entry["name"], one["name"]): one["steps"] for entry in stats["entries"] for one in entry["variants"]}
    with sync_playwright() as driver, serving(Site(mounts={"/dist/": work / "dist", "/ort/": ORT})) as site:
        site.pages["/"] = BLANK
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        for name in names:
            feeds = fed(name)
            expected = natively_from(source(name), feeds, exact=True)
            variants = manifest["entries"][name]["variants"]
            before = next(one["measured"]["bytes"] for one in variants if one["name"] == "source")
            for variant in variants:
                page = browser.new_page()
                page.goto(site.origin)
                label = variant["name"]
                yield Row(
                    name,
                    label,
                    before,
                    variant["measured"]["bytes"],
                    native_agreement(work, name, variant, feeds),
                    agreement(expected, in_browser(page, name, label, feeds, expected)),
                    wire(work, manifest, variant),
                    tuple(steps[name, label]),
                    allowed(LOADERS[label]),
                )
                page.close()
        browser.close()


def build(work: Path, names: list[str]) -> None:
    for name in names:
        shutil.copy(source(name), work / f"{name}.onnx")
        np.savez(work / f"{name}.npz", **fed(name))
    called = sorted({call.partition("(")[0] for call in LOADERS.values() if call})
    (work / "model.config.py").write_text(
        "from bundler import Entry, Golden, Output, define_config\n"
        f"from bundler.loaders import {', '.join(called)}\n\n"
        f"config = define_config(entries={{\n{''.join(map(_entry, names))}}}, output=Output(compress=['br', 'zstd']))\n"
    )
    wall(python("-m", "bundler", "build"), work)


def _entry(name: str) -> str:
    calls = {label: call.replace("SAMPLES", f"'{name}.npz'") for label, call in LOADERS.items()}
    variants = ", ".join(f"{label!r}: [{call}]" for label, call in calls.items())
    return f"    {name!r}: Entry(source='{name}.onnx', golden=Golden('{name}.npz'), variants={{{variants}}}),\n"


def source(name: str) -> Path:
    return minilm.model() if name == "minilm" else real_models.path(name)


def fed(name: str) -> dict[str, Any]:
    """A batch of what the model is for, as far as there is such: texts, else numbers of the right kind."""
    if name.startswith("ppocr"):
        return {"x": _lines("Total: 1,234.56 EUR") if name == "ppocr-rec" else _lines("The quick", "brown fox")}
    if name != "minilm":
        return real.native(name)[0]
    with np.load(minilm.golden()) as sets:
        return {port: sets[f"3/{port}"] for port in ("input_ids", "attention_mask", "token_type_ids")}


def _lines(*lines: str) -> Any:
    """Of printed text, float32 [1, 3, height, 320] from -1 to 1: on noise a detector's output is all but zero."""
    image = Image.new("RGB", (320, 48 if len(lines) == 1 else 160), "white")
    font = ImageFont.load_default(size=30)
    for at, line in enumerate(lines):
        ImageDraw.Draw(image).text((12, 6 + 60 * at), line, fill="black", font=font)
    return (np.asarray(image, np.float32).transpose(2, 0, 1) / 127.5 - 1)[None]


def allowed(call: str) -> tuple[float, float]:
    """The cosine that the loader allows, and that below which it says how far off it is."""
    loader = loader_class(call.partition("(")[0]) if call else None
    return (loader.min_cosine, loader.warn_cosine) if loader else (1.0, 1.0)


def wire(work: Path, manifest: dict[str, Any], variant: dict[str, Any]) -> dict[str, int]:
    """Encoding -> bytes of the variant's files as they go over the wire. What is not worth it is sent as it is."""
    files = {variant["graph"]["file"], *(chunk["file"] for data in variant["data"] for chunk in data["chunks"])}
    sizes = {name: (work / "dist/assets" / name).stat().st_size for name in files}
    encoded = {name: manifest.get("encodings", {}).get(name, {}) for name in files}
    thin = [name for name in files for size in encoded[name].values() if size > 0.95 * sizes[name]]
    if thin:
        raise SystemExit(f"{thin[0]} is emitted compressed and saves less than 5 %")
    return {kind: sum(encoded[name].get(kind, sizes[name]) for name in files) for kind in ("br", "zstd")}


def native_agreement(work: Path, name: str, variant: dict[str, Any], feeds: dict[str, Any]) -> float:
    """onnxruntime 1.32 does not open every graph with EXACT_PRODUCTS; then both sides do without."""
    try:
        return agreement(natively_from(source(name), feeds, exact=True), natively(work, variant, feeds, exact=True))
    except Fail:
        return agreement(natively_from(source(name), feeds, exact=False), natively(work, variant, feeds, exact=False))


def natively(work: Path, variant: dict[str, Any], feeds: dict[str, Any], *, exact: bool) -> dict[str, Any]:
    """The outputs of an emitted variant, its chunks joined again."""
    assets = work / "dist/assets"
    with tempfile.TemporaryDirectory(dir=work) as folder:
        for data in variant["data"]:
            parts = [(assets / chunk["file"]).read_bytes() for chunk in data["chunks"]]
            (Path(folder) / data["path"]).write_bytes(b"".join(parts))
        graph = shutil.copy(assets / variant["graph"]["file"], Path(folder) / "graph.onnx")
        return natively_from(Path(graph), feeds, exact=exact)


def natively_from(graph: Path, feeds: dict[str, Any], *, exact: bool) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if exact:
        options.add_session_config_entry(*EXACT_PRODUCTS)
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def in_browser(page: Page, entry: str, variant: str, feeds: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    options = {"variant": variant, "device": "wasm"}
    result = outcome(page, real.RUN, {"entry": entry, "options": options, "feeds": real.as_json(feeds)})
    if "error" in result:
        print(f"{entry} {variant}: {result['error']['message']}", file=sys.stderr)
        return {}
    return {name: np.array(result["value"]["out"][name]["data"], np.float64) for name in expected}


def agreement(expected: dict[str, Any], found: dict[str, Any]) -> float:
    """The least cosine of an output; NaN: it has none."""
    return min((_cosine(array, found.get(name)) for name, array in expected.items()), default=float("nan"))


def _cosine(one: Any, other: Any) -> float:
    if other is None or np.size(one) != np.size(other):
        return float("nan")
    a, b = np.ravel(one).astype(np.float64), np.ravel(other).astype(np.float64)
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-30))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--work", help="folder to work in")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    arguments = parser.parse_args()
    found = []
    print(f"{'model':12} {'loader':20} {'MB':>8} {'MB after':>8} {'native':>9} {'wasm':>9}")
    with tempfile.TemporaryDirectory(dir=arguments.work, prefix="mbundle-bench-") as folder:
        for row in rows(Path(folder), arguments.models):
            print(row, flush=True)
            found.append(row)
            if arguments.markdown and len(found) % len(LOADERS) == 0:
                arguments.markdown.write_text(markdown(found))
    return 1 if any(row.trouble for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
