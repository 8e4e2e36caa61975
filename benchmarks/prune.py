"""Structured pruning: FLOPs, bytes, accuracy and time beside the source's, natively and in Chromium.

`python -m benchmarks.prune [conv mlp minilm]`. Digits are networks that `fixtures.digits` trains, judged by their
accuracy on images that neither training nor pruning has seen; MiniLM by the top-10 overlap with fp32 on the icons of
Lucide. A time is the median ratio of runs in turn, one thread, and never an absolute figure; native onnxruntime
optimises as it does by default. Exit status 1 when a network that lost its FLOPs is not faster. Needs scikit-learn,
`scripts/models`, npm's onnxruntime-web and Chromium; about five minutes.
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
from playwright.sync_api import sync_playwright

from fixtures import digits, minilm, models, overlap
from tests.dist import assemble
from tests.web import real
from tests.web.conftest import ARGS, BLANK, ORT, value
from tests.web.server import Site, serving
from tests.web.test_prune import IN_TURN, accuracy, minilm_feeds, ratio, session

from .processes import python, wall

STEPS = {
    "structured-0.3": "prune(structured=0.3)",
    "structured-0.5": "prune(structured=0.5)",
    "accuracy-0.9": "prune(accuracy=0.9)",
}
RUNS = 60


@dataclass(frozen=True)
class Row:
    model: str
    step: str
    flops: float
    nbytes: float
    quality: float
    was: float
    native: float
    web: float
    note: str

    @property
    def slower(self) -> bool:
        return self.flops < 0.9 and max(self.native, self.web) >= 1

    def __str__(self) -> str:
        shares = f"{self.flops:7.0%} {self.nbytes:7.0%} {self.was:8.3f} {self.quality:8.3f}"
        return f"{self.model:8} {self.step:16} {shares} {self.native:8.2f} {self.web:8.2f}  {self.note}"


def rows(work: Path, names: list[str]) -> Iterator[Row]:
    _project(work, names)
    wall(python("-m", "bundler", "build"), work)
    stats = json.loads((work / ".mbundle/stats.json").read_bytes())
    with sync_playwright() as driver, serving(Site(mounts={"/dist/": work / "dist", "/ort/": ORT})) as site:
        site.pages["/"] = BLANK
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        for entry in stats["entries"]:
            feeds = _feeds(entry["name"])
            source = session(assemble(work / "dist", work / "source" / entry["name"], entry["name"], "source"))
            for variant in entry["variants"]:
                if variant["name"] == "source":
                    continue
                page = browser.new_page()
                page.goto(site.origin)
                yield _row(work, entry["name"], variant, source, feeds, page)
                page.close()
        browser.close()


def _row(work: Path, name: str, variant: dict[str, Any], source: Any, feeds: dict[str, Any], page: Any) -> Row:
    label, (step,) = variant["name"], variant["steps"]
    pruned = session(assemble(work / "dist", work / label / name, name, label))
    computed = step["details"].get("flops", {"before": 1, "after": 1})
    native = ratio(lambda: pruned.run(None, feeds), lambda: source.run(None, feeds), RUNS)
    call = {"entry": name, "variants": [label, "source"], "feeds": real.as_json(feeds), "runs": RUNS}
    quality, was = (step["metric"], 1.0) if name == "minilm" else (accuracy(pruned), accuracy(source))
    shares = computed["after"] / computed["before"], step["bytesAfter"] / step["bytesBefore"]
    note = step["note"] if step["status"] in ("ok", "cached") else f"{step['status']}: {step['note']}"
    return Row(name, label, *shares, quality, was, native, value(page, IN_TURN, call), note)


def _feeds(name: str) -> dict[str, Any]:
    return minilm_feeds() if name == "minilm" else {"image": np.tile(digits.held_out()[0][:256], (2, 1, 1, 1))}


def _project(work: Path, names: list[str]) -> None:
    shutil.copy(overlap.__file__, work / "overlap.py")
    digits.golden(work / "digits.npz")
    variants = "".join(f"    {label!r}: [{call}],\n" for label, call in STEPS.items())
    entries = ""
    for name in names:
        if name == "minilm":
            (work / "minilm.onnx").symlink_to(minilm.model())
            (work / "lucide.npz").symlink_to(minilm.golden())
            golden = 'Golden("lucide.npz", metric=top10_overlap)'
        else:
            models.save(digits.conv_net() if name == "conv" else digits.mlp(), work / f"{name}.onnx")
            golden = 'Golden("digits.npz", metric="labels")'
        entries += f"    {name!r}: Entry(source='{name}.onnx', golden={golden}, variants=VARIANTS),\n"
    (work / "model.config.py").write_text(
        "from bundler import Entry, Golden, define_config\n"
        "from bundler.loaders import prune\n"
        "from overlap import top10_overlap\n\n"
        f"VARIANTS = {{\n{variants}    'source': [],\n}}\nconfig = define_config(entries={{\n{entries}}})\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["conv", "mlp", "minilm"])
    parser.add_argument("--work", help="folder to work in")
    arguments = parser.parse_args()
    held = True
    shares = f"{'FLOPs':>7} {'bytes':>7} {'source':>8} {'pruned':>8}"
    print(f"{'model':8} {'prune':16} {shares} {'native':>8} {'wasm':>8}  (times: pruned over source)")
    with tempfile.TemporaryDirectory(dir=arguments.work, prefix="mbundle-bench-") as folder:
        for row in rows(Path(folder), arguments.models):
            print(row, flush=True)
            held = held and not row.slower
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
