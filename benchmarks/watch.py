"""From the end of a save to the new manifest, beside what the loaders themselves take. `python -m benchmarks.watch`

A 90 MB encoder whose last layer changes again and again, under `mbundle watch`: once as it is, once through
quantize_weights(). Both sides come from the same rebuild: the moments at which the file was renamed into place and
the manifest became another, and the seconds of its steps in `.mbundle/stats.json` (each loader, and the comparison of
its result with the source). Exit status 1 when a figure is over its limit.
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
from pathlib import Path

import onnx

from .build import Figure, make, project
from .processes import python

FACTOR, ADDED = 1.3, 0.3
"""Of the loaders' own time, and seconds on top of that."""


def rebuilds(work: Path, chain: str, runs: int) -> Iterator[tuple[float, float]]:
    """(seconds from the end of the save to the manifest, seconds of the loaders), once for each run."""
    project(work, {"encoder": "encoder.onnx"}, chain)
    make("encoder", work / "encoder.onnx")
    model = onnx.load(work / "encoder.onnx")
    last = max(
        (one for one in model.graph.initializer if one.name.startswith("layer.5")), key=lambda one: one.ByteSize()
    )
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    watch = subprocess.Popen(
        python("-m", "bundler", "watch", "--json", "--exit-with-stdin"),
        cwd=work,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        settled(watch)
        for run in range(runs + 1):
            last.raw_data = bytes([run + 1]) + last.raw_data[1:]
            beside = work / ".encoder.tmp"
            beside.write_bytes(model.SerializeToString())
            seconds = until_manifest(work, beside)
            settled(watch)
            time.sleep(2.5)  # a save a moment after the last is another thing to measure
            if run:  # the first rebuild imports what none has needed yet
                yield seconds, own_time(work)
    finally:
        watch.communicate()


def until_manifest(work: Path, beside: Path) -> float:
    manifest = work / "dist/model-manifest.json"
    before = manifest.stat().st_ino
    os.replace(beside, work / "encoder.onnx")
    began = time.perf_counter()
    while manifest.stat().st_ino == before:
        time.sleep(0.001)
    return time.perf_counter() - began


def settled(watch: subprocess.Popen[bytes]) -> None:
    assert watch.stdout is not None
    for line in watch.stdout:
        event = json.loads(line)
        if event["type"] == "error":
            raise SystemExit(event)
        if event["type"] in ("model-update", "build-unchanged"):
            return


def own_time(work: Path) -> float:
    stats = json.loads((work / ".mbundle/stats.json").read_text())
    steps = [step for entry in stats["entries"] for variant in entry["variants"] for step in variant["steps"]]
    return sum(step["seconds"] for step in steps if step["status"] != "cached")


def figure(what: str, taken: list[tuple[float, float]]) -> Figure:
    ours, theirs = (statistics.median(side) for side in zip(*taken, strict=True))
    limit = FACTOR * theirs + ADDED
    detail = f"{ours:.3f} s of {limit:.3f} s ({FACTOR} x {theirs:.3f} s + {ADDED} s), medians of {len(taken)}"
    return Figure(what, ours / limit, 1, detail=detail)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", help="folder to work in; its disk is what is measured")
    arguments = parser.parse_args()
    held = True
    for chain in ("", "quantize_weights()"):
        with tempfile.TemporaryDirectory(dir=arguments.work, prefix="mbundle-bench-") as folder:
            taken = list(rebuilds(Path(folder), chain, arguments.runs))
        one = figure(f"save to manifest, {chain or 'no loader'}: of what it may take", taken)
        print(one, flush=True)
        held = held and one.value <= one.limit
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
