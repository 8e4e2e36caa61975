"""Calibrates the margins of `bundler/measure/metrics.py`. `python -m benchmarks.bench_noise [--benches 20]`

Benchmarks one output again and again. For each figure: how far the medians of the benchmarks lie apart, how far the
lowest and highest round of any lies outside the first benchmark's own rounds (what the margin has to cover), and how
many verdicts flip when the limit is put at every value that was measured. Exit status 1 when one does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bundler.measure.benchfile import joined_with
from bundler.measure.interval import Interval, interval
from bundler.measure.metrics import METRICS
from bundler.measure.verdict import FAILS, judge

from .bench_project import mbundle, prepare

ARGUMENTS = ("--variant", "q8", "--device", "wasm", "--no-native", "--no-baseline", "--json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benches", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5)
    wish = parser.parse_args()
    benches = []
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        for turn in range(wish.benches):
            (Path(name) / ".mbundle/bench.json").unlink(missing_ok=True)  # each for itself; they are joined below
            benches.append(json.loads(mbundle(Path(name), "bench", *ARGUMENTS, "--runs", str(wish.runs))))
            print(f"\r{turn + 1} of {wish.benches}", end="", file=sys.stderr, flush=True)
    print(f"\n{'':10}{'median':>12}{'medians apart':>15}{'rounds outside':>16}{'margin':>8}{'flips':>7}")
    flips = 0
    for key, metric in METRICS.items():
        if metric.margin:
            flips += show(key, metric.margin, benches)
    print(f"{flips} flips in {wish.benches} benchmarks, with each figure's limit where it flips most")
    return 1 if flips else 0


def show(key: str, margin: float, benches: list[Any]) -> int:
    rounds = [figures(bench)[key]["samples"] for bench in benches]
    found = [interval(samples) for samples in rounds]
    medians = sorted(one.value for one in found)
    middle = medians[len(medians) // 2] or 1.0
    first = found[0]
    lowest, highest = min(one.low for one in found), max(one.high for one in found)
    outside = max(first.low / max(lowest, 1e-9), highest / max(first.high, 1e-9)) - 1
    flips = flipped(key, benches, sorted({value for samples in rounds for value in samples}))
    apart = (medians[-1] - medians[0]) / middle
    print(f"{key:10}{middle:12.1f}{apart:15.1%}{outside:16.1%}{margin:8.0%}{flips:7}")
    return flips


def flipped(key: str, benches: list[Any], limits: list[float]) -> int:
    """The most benchmarks, over all limits, after which the verdict is another than before."""
    worst = 0
    for limit in limits:
        known, before, count = benches[0], fails(benches[0], key, limit), 0
        for bench in benches[1:]:
            known = joined_with(known, bench)
            now = fails(known, key, limit)
            count, before = count + (now is not before), now
        worst = max(worst, count)
    return worst


def fails(bench: Any, key: str, limit: float) -> bool:
    found = figures(bench)[key]
    return judge(limit, Interval(found["value"], found["low"], found["high"])) in FAILS


def figures(bench: Any) -> Any:
    return bench["entries"]["magika"]["rows"][0]["figures"]


if __name__ == "__main__":
    sys.exit(main())
