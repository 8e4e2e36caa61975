"""From a URL to a first result in Chromium, beside the other ways. `python -m benchmarks.load [--models base ...]`

Each figure is the median of --runs visits (of a large model at 50 Mbit/s: one visit), each in a browser of its own;
"warm" is a second browser on the profile that a first visit has left. All ways take turns in one run. Exit status 1
when a figure misses its goal. Needs 3 GB of disk, `npm ci` here and in benchmarks/load_page, and twenty minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import bare
from .build import Figure
from .load_server import Mounts, serving
from .processes import python

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path(__file__).resolve().parent / "load_page"
MB = 1_000_000
SLOW = 50_000_000 / 8
"""50 Mbit/s, in bytes per second, over all connections together."""
TOKENS = [{"name": name, "dtype": "int64", "dims": [1, 128]} for name in ("input_ids", "attention_mask")]
INPUTS: dict[str, list[dict[str, Any]]] = {
    "encoder": TOKENS,
    "base": TOKENS,
    "ppocr-rec": [{"name": "x", "dtype": "float32", "dims": [1, 3, 48, 320]}],
}


@dataclass(frozen=True, slots=True)
class Way:
    """One row of the table: a function of ways.js, first or second visit."""

    title: str
    way: str
    warm: bool = False
    worker: bool = False


WAYS = (
    Way("(a) create(url)", "url"),
    Way("(b) transformers, cold", "transformers"),
    Way("(b) transformers, warm", "transformers", warm=True),
    Way("(c) ours, cold", "ours"),
    Way("(c) ours, cold, worker", "ours", worker=True),
    Way("(d) ours, warm", "ours", warm=True),
    Way("(d) ours, warm, worker", "ours", warm=True, worker=True),
    Way("(e) floor", "floor"),
)
SLOW_WAYS = tuple(way for way in WAYS if way.title in ("(c) ours, cold", "(c) ours, cold, worker", "(e) floor"))


@dataclass(slots=True)
class Visits:
    """Milliseconds, bytes; one item a visit. `peak`: the whole browser over what it held with an empty page."""

    session: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    longest: list[float] = field(default_factory=list)
    peak: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bench:
    mounts: Mounts
    origin: str
    work: Path

    def run(self, model: str, ways: tuple[Way, ...], runs: int) -> dict[str, Visits]:
        """The ways in turn, `runs` times."""
        found = {way.title: Visits() for way in ways}
        for _ in range(runs):
            for way in ways:
                with self.profile() as profile:
                    if way.warm:
                        self.visit(profile, model, way, Visits())
                    self.visit(profile, model, way, found[way.title])
        return found

    @contextlib.contextmanager
    def profile(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(dir=self.work))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def visit(self, profile: Path, model: str, way: Way, visits: Visits) -> None:
        job = {"module": "/page/ways.js", "name": "measure", "given": options(model, way)}
        # The other ways are given as long to store what they do.
        seen = bare.visit(str(profile), self.origin, self.mounts, job, stay=0.0 if way.way == "ours" else 2.0)
        visits.sent.append(seen.sent)
        visits.peak.append(seen.peak)
        for name in ("session", "first", "longest"):
            getattr(visits, name).append(seen.got[name])


def options(model: str, way: Way) -> dict[str, Any]:
    return {
        "way": way.way,
        "source": f"/models/{model}/onnx/model.onnx",
        "folder": f"models/{model}",
        "dist": f"/models/{model}/dist/",
        "entry": model,
        "worker": way.worker,
        "inputs": INPUTS[model],
    }


def peer() -> dict[str, Path]:
    """Where a page finds @huggingface/transformers and what it imports."""
    modules = PAGE / "node_modules"
    if not modules.is_dir():
        raise SystemExit(f"@huggingface/transformers is not installed: run `npm ci` in {PAGE}.")
    return {
        "/hf/": modules / "@huggingface/transformers/dist",
        "/hf-ort/": modules / "onnxruntime-web/dist",
        "/hf-common/": modules / "onnxruntime-common/dist/esm",
    }


def prepare(work: Path, model: str) -> None:
    """`work/<model>` as a Hugging Face folder, and mbundle's output in it."""
    folder = work / model
    (folder / "onnx").mkdir(parents=True)
    source = folder / "onnx" / "model.onnx"
    if model in ("encoder", "base"):
        subprocess.run(python("-m", "benchmarks.made_models", model, str(source)), cwd=ROOT, check=True)
    else:
        from fixtures.real_models import path

        shutil.copy(path(model), source)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    (folder / "model.config.py").write_text(
        "from bundler import Entry, Output, define_config\n"
        f"config = define_config(entries={{{model!r}: Entry(source='onnx/model.onnx')}}, output=Output(dir='dist'))\n"
    )
    done = subprocess.run(
        python("-m", "bundler", "build"), cwd=folder, env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def environment() -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def show(model: str, network: str, found: dict[str, Visits]) -> None:
    print(f"\n{model}, {network}")
    print(f"{'':26}{'session s':>10}{'first s':>10}{'longest ms':>12}{'peak MB':>10}{'sent MB':>10}")
    for title, visits in found.items():
        row = [middle(visits.session) / 1000, middle(visits.first) / 1000, middle(visits.longest)]
        print(f"{title:26}{row[0]:10.2f}{row[1]:10.2f}{row[2]:12.0f}", end="")
        print(f"{middle(visits.peak) / MB:10.0f}{middle(visits.sent) / MB:10.1f}")


def middle(values: list[Any]) -> float:
    return float(statistics.median(values))


def goals(model: str, found: dict[str, Visits], weights: int) -> Iterator[Figure]:
    first = {title: middle(visits.first) for title, visits in found.items()}
    peak = {title: middle(visits.peak) for title, visits in found.items()}
    for mode in ("", ", worker"):
        yield Figure(f"{model}: cold{mode}, of the floor", first[f"(c) ours, cold{mode}"] / first["(e) floor"], 1.15)
        warm = first[f"(d) ours, warm{mode}"] / first["(b) transformers, warm"]
        yield Figure(f"{model}: warm{mode}, of transformers' warm", warm, 0.6)
        if model == "base":
            most = max(peak[f"(c) ours, cold{mode}"], peak[f"(d) ours, warm{mode}"])
            yield Figure(f"{model}: peak memory{mode}, of the weights", most / weights, 1.4)
            yield Figure(f"{model}: peak memory{mode}, of create(url)'s", most / peak["(a) create(url)"], 0.5)
    longest = max(*found["(c) ours, cold, worker"].longest, *found["(d) ours, warm, worker"].longest)
    yield Figure(f"{model}: longest task, worker", longest, 50, "ms")


def slow_goals(model: str, found: dict[str, Visits]) -> Iterator[Figure]:
    floor = middle(found["(e) floor"].first)
    for title in ("(c) ours, cold", "(c) ours, cold, worker"):
        yield Figure(f"{model}: {title[4:]} at 50 Mbit/s, of the floor", middle(found[title].first) / floor, 1.02)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=list(INPUTS), choices=list(INPUTS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--networks", nargs="*", default=["loopback", "slow"], choices=["loopback", "slow"])
    wish = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        mounts = Mounts(
            {
                "/page/": PAGE,
                "/models/": work / "models",
                "/ort/": ROOT / "node_modules/onnxruntime-web/dist",
                **peer(),
            }
        )
        with serving(mounts) as origin:
            bench = Bench(mounts, origin, work)
            for model in wish.models:
                prepare(work / "models", model)
                figures += one(bench, model, wish.runs, wish.networks)
    print()
    for figure in figures:
        print(figure)
    return 0 if all(figure.value <= figure.limit for figure in figures) else 1


def one(bench: Bench, model: str, runs: int, networks: list[str]) -> list[Figure]:
    weights = (bench.work / "models" / model / "onnx" / "model.onnx").stat().st_size
    figures: list[Figure] = []
    if "loopback" in networks:
        found = bench.run(model, WAYS, runs)
        show(model, "loopback", found)
        figures += goals(model, found, weights)
    if "slow" in networks:
        bench.mounts.rate = SLOW
        found = bench.run(model, SLOW_WAYS, runs if weights < 50 * MB else 1)
        bench.mounts.rate = None
        show(model, "50 Mbit/s", found)
        figures += slow_goals(model, found)
    return figures


if __name__ == "__main__":
    began = time.perf_counter()
    status = main()
    print(f"\n{time.perf_counter() - began:.0f} s")
    sys.exit(status)
