"""Every loader on every real model, alone: bytes, and agreement with the source natively and in Chromium's wasm.

`python -m benchmarks.loaders [model ...]`. One build makes all variants; each is then run on the same inputs by native
onnxruntime and, through the emitted runtime, by onnxruntime-web. A cell is the least cosine of an output with what the
source gives natively. Exit status 1 when a variant does not run, is bigger than its source, is further off than its
loader allows, or is another model in the browser than natively. Needs `scripts/models`, npm's onnxruntime-web and
Chromium; about three minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from playwright.sync_api import Page, sync_playwright

from bundler.loaders.regression import SLACK
from fixtures import real_models
from tests.web import real
from tests.web.conftest import ARGS, BLANK, ORT, outcome
from tests.web.server import Site, serving

from .processes import python, wall

LOADERS = {
    "source": "",
    "simplify": "simplify()",
    "fuse": "fuse()",
    "dynamic": "quantize_dynamic()",
    "dynamic-per-channel": "quantize_dynamic(per_channel=True)",
    "weights-8": "quantize_weights()",
    "weights-4": "quantize_weights(bits=4)",
    "float16": "float16()",
}
LEAST = 0.8
"""The cosine that the loosest loader allows."""
DRIFT = 0.03
"""Of a cosine, between native and wasm: their integer kernels round differently."""


@dataclass(frozen=True)
class Row:
    model: str
    loader: str
    before: int
    after: int
    native: float
    web: float
    note: str

    @property
    def trouble(self) -> str:
        if not (np.isfinite(self.native) and np.isfinite(self.web)):
            return "does not run"
        if self.after > self.before + SLACK:
            return "bigger"
        if min(self.native, self.web) < LEAST:
            return "too far off"
        return "drifts" if abs(self.native - self.web) > DRIFT else ""

    def __str__(self) -> str:
        figures = f"{self.before / 1e6:8.2f} {self.after / 1e6:8.2f} {self.native:9.5f} {self.web:9.5f}"
        return f"{self.model:12} {self.loader:20} {figures}  {self.trouble.upper() or 'ok':12} {self.note}".rstrip()


def rows(work: Path, names: list[str]) -> Iterator[Row]:
    build(work, names)
    stats = json.loads((work / ".mbundle/stats.json").read_bytes())
    manifest = json.loads((work / "dist/model-manifest.json").read_bytes())
    notes = {
        (entry["name"], one["name"]): "; ".join(_note(step) for step in one["steps"])
        for entry in stats["entries"]
        for one in entry["variants"]
    }
    with sync_playwright() as driver, serving(Site(mounts={"/dist/": work / "dist", "/ort/": ORT})) as site:
        site.pages["/"] = BLANK
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        for name in names:
            feeds, expected = real.native(name)
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
                    agreement(expected, natively(work, variant, feeds)),
                    agreement(expected, in_browser(page, name, label, feeds, expected)),
                    notes[name, label],
                )
                page.close()
        browser.close()


def build(work: Path, names: list[str]) -> None:
    for name in names:
        shutil.copy(real_models.path(name), work / f"{name}.onnx")
    variants = "".join(f"        {name!r}: [{call}],\n" for name, call in LOADERS.items())
    entries = "".join(f"    {name!r}: Entry(source='{name}.onnx', variants=VARIANTS),\n" for name in names)
    (work / "model.config.py").write_text(
        "from bundler import Entry, define_config\n"
        "from bundler.loaders import float16, fuse, quantize_dynamic, quantize_weights, simplify\n\n"
        f"VARIANTS = {{\n{variants}}}\nconfig = define_config(entries={{\n{entries}}})\n"
    )
    wall(python("-m", "bundler", "build"), work)


def _note(step: dict[str, Any]) -> str:
    told = f"{step['status']}: {step['note']}" if step["status"] not in ("ok", "cached") else step["note"]
    return f"{told} [{step['nodesBefore']} to {step['nodesAfter']} nodes, {step['seconds']} s]".strip()


def natively(work: Path, variant: dict[str, Any], feeds: dict[str, Any]) -> dict[str, Any]:
    """The outputs of an emitted variant, its chunks joined again."""
    assets = work / "dist/assets"
    with tempfile.TemporaryDirectory(dir=work) as folder:
        for data in variant["data"]:
            parts = [(assets / chunk["file"]).read_bytes() for chunk in data["chunks"]]
            (Path(folder) / data["path"]).write_bytes(b"".join(parts))
        graph = shutil.copy(assets / variant["graph"]["file"], Path(folder) / "graph.onnx")
        session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
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
    parser.add_argument("models", nargs="*", default=list(real_models.REAL_MODELS))
    parser.add_argument("--work", help="folder to work in")
    arguments = parser.parse_args()
    held = True
    print(f"{'model':12} {'loader':20} {'MB':>8} {'MB after':>8} {'native':>9} {'wasm':>9}")
    with tempfile.TemporaryDirectory(dir=arguments.work, prefix="mbundle-bench-") as folder:
        for row in rows(Path(folder), arguments.models):
            print(row, flush=True)
            held = held and not row.trouble
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
