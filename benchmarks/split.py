"""A split MiniLM beside the whole one, in Chromium. `python -m benchmarks.split [--runs 3]`

Whether the stages answer alike, how long a first result takes at 50 Mbit/s, what an early output costs alone, and how
much memory `release` saves. Each visit has a browser of its own and all ways take turns. Exit status 1 when a figure
misses its goal. Needs the real models (`scripts/test` fetches them) and `npm ci`; about five minutes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from fixtures import minilm, models

from . import bare
from .build import Figure
from .load import MB, PAGE, ROOT, SLOW, environment
from .load_server import Mounts, serving
from .processes import python

EARLY = "/encoder.layer.2.output.LayerNorm"
"""What the third of six layers gives, as an output of its own."""
CONFIG = f"""
from bundler import Entry, Output, define_config
from bundler.loaders import split

config = define_config(
    output=Output(ort="self"),
    entries={{
        "whole": Entry(source="minilm.onnx"),
        "two": Entry(source="minilm.onnx", use=[split(stages=2)]),
        "three": Entry(source="minilm.onnx", use=[split(stages=3)]),
        "tiny": Entry(source="tiny.onnx"),
        "early": Entry(source="early.onnx", use=[split(at=["{EARLY}"])]),
    }},
)
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One row of a table: an entry and the options of its `load`; the model runs `times` times."""

    title: str
    entry: str
    options: dict[str, Any] = field(default_factory=dict)
    times: int = 1
    warm: bool = False
    """The second visit of a profile: nothing is fetched and stored meanwhile, which takes memory of its own."""


@dataclass(slots=True)
class Visits:
    """Milliseconds, bytes; one item a visit. `values`: the first output of the last visit."""

    loaded: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    peak: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


SLOWLY = (Way("whole", "whole"), Way("2 stages", "two"), Way("3 stages", "three"))
EARLIER = (
    Way("early and last", "early"),
    Way("early alone", "early", {"outputs": [EARLY]}),
)
LEAN = (
    Way("tiny", "tiny", warm=True),
    Way("whole", "whole", times=3, warm=True),
    Way("3 stages", "three", times=3, warm=True),
    Way("3 stages, release", "three", {"release": True}, times=3, warm=True),
    Way("tiny, worker", "tiny", {"worker": True}, warm=True),
    Way("whole, worker", "whole", {"worker": True}, times=3, warm=True),
    Way("3 stages, release, worker", "three", {"worker": True, "release": True}, times=3, warm=True),
)
"""The memory of a page that runs hardly anything is onnxruntime's own, and is taken off the others."""


@dataclass(frozen=True, slots=True)
class Bench:
    mounts: Mounts
    origin: str

    def run(self, network: str, ways: tuple[Way, ...], runs: int) -> dict[str, Visits]:
        """The ways in turn, `runs` times."""
        found = {way.title: Visits() for way in ways}
        for _ in range(runs):
            for way in ways:
                with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
                    if way.warm:
                        self.visit(profile, way, Visits())
                    self.visit(profile, way, found[way.title])
        show(network, found)
        return found

    def visit(self, profile: str, way: Way, visits: Visits) -> None:
        given = {"entry": way.entry, "options": way.options, "times": way.times}
        job = {"module": "/page/stages.js", "name": "measure", "given": given}
        # What is stored is stored behind the session.
        seen = bare.visit(profile, self.origin, self.mounts, job, stay=3.0 if way.warm else 0.0)
        visits.sent.append(seen.sent)
        visits.peak.append(seen.peak)
        visits.loaded.append(seen.got.get("loaded", 0.0))
        visits.first.append(seen.got.get("first", 0.0))
        visits.values = seen.got.get("values", [])


def show(network: str, found: dict[str, Visits]) -> None:
    print(f"\n{network}")
    print(f"{'':28}{'load s':>10}{'first s':>10}{'peak MB':>10}{'sent MB':>10}")
    for title, visits in found.items():
        print(f"{title:28}{middle(visits.loaded) / 1000:10.2f}{middle(visits.first) / 1000:10.2f}", end="")
        print(f"{middle(visits.peak) / MB:10.0f}{middle(visits.sent) / MB:10.1f}")


def middle(values: list[Any]) -> float:
    return float(statistics.median(values))


def prepare(work: Path) -> None:
    """`work/dist` with MiniLM whole, in 2 and 3 stages, and with an early output in a stage of its own."""
    source = minilm.model()
    (work / "minilm.onnx").symlink_to(source)
    model = onnx.load(source)
    model.graph.output.append(onnx.helper.make_tensor_value_info(EARLY, onnx.TensorProto.FLOAT, [None, None, 384]))
    onnx.save(model, work / "early.onnx")
    models.save(models.mlp(), work / "tiny.onnx")
    (work / "node_modules").symlink_to(ROOT / "node_modules")
    (work / "model.config.py").write_text(CONFIG)
    done = subprocess.run(python("-m", "bundler", "build"), cwd=work, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def slow_goals(bench: Bench, runs: int) -> Iterator[Figure]:
    bench.mounts.rate = SLOW
    slow = bench.run("50 Mbit/s", SLOWLY, runs)
    whole = slow["whole"]
    for title in ("2 stages", "3 stages"):
        far = max(abs(a - b) for a, b in zip(slow[title].values, whole.values, strict=True))
        yield Figure(f"{title}: largest difference to the whole", far, 1e-5, "", f"{far:.1e}")
        yield Figure(f"{title}: first result, of the whole's", middle(slow[title].first) / middle(whole.first), 1.02)
    early = bench.run("50 Mbit/s, an early output", EARLIER, 1)
    both, alone = early["early and last"], early["early alone"]
    yield Figure("early output alone: bytes, of both", middle(alone.sent) / middle(both.sent), 0.85)
    yield Figure("early output alone: first result, of both", middle(alone.first) / middle(both.first), 0.9)


def lean_goals(bench: Bench, runs: int) -> Iterator[Figure]:
    bench.mounts.rate = None
    lean = bench.run("loopback, second visit, three runs", LEAN, runs)
    for mode in ("", ", worker"):
        base, all_, one = (middle(lean[way + mode].peak) for way in ("tiny", "whole", "3 stages, release"))
        yield Figure(f"release{mode}: peak memory, of the whole's", (one - base) / (all_ - base), 1.0)


PARTS = {"slow": slow_goals, "memory": lean_goals}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=list(PARTS))
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        prepare(work)
        mounts = Mounts({"/page/": PAGE, "/dist/": work / "dist"})
        with serving(mounts) as origin:
            bench = Bench(mounts, origin)
            figures = [figure for part in wish.parts for figure in PARTS[part](bench, wish.runs)]
    print()
    for figure in figures:
        print(figure)
    return 0 if all(figure.value <= figure.limit for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
