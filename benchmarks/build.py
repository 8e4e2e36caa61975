"""What a build costs, beside what it cannot do without. `python -m benchmarks.build [pass-through simplify no-change]`

Each part runs both sides alternately in one run and prints the ratio of their medians; exit status 1 when a figure is
over its limit. Needs 8 GB on the disk of --work and about four minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .processes import Peak, peak, python, wall

MB = 1_000_000
BUILD = python("-m", "bundler", "build")
HEAVY = ("onnx", "onnxruntime", "numpy")


@dataclass(frozen=True, slots=True)
class Figure:
    """One claim: `value` is at most `limit`."""

    what: str
    value: float
    limit: float
    unit: str = "x"
    detail: str = ""

    def __str__(self) -> str:
        verdict = "PASS" if self.value <= self.limit else "FAIL"
        figures = f"{self.value:8.2f} {self.unit:<2} <= {self.limit:g} {self.unit}"
        return f"{verdict}  {self.what:<59} {figures:<24} {self.detail}".rstrip()


def pass_through(work: Path, runs: int) -> Iterator[Figure]:
    """2.5 GiB, one entry, no loader: the bytes are copied and hashed, which is what `cp` and `sha256sum` do."""
    project(work, {"big": "big.onnx"}, "")
    make("big", work / "big.onnx")
    source = [str(work / "big.onnx"), str(work / "big.bin")]
    warm_cache(source)
    times: dict[str, list[float]] = {"cp": [], "empty": [], "filled": []}
    for _ in range(runs):
        times["cp"].append(copy_and_hash(work, source))
        forget(work)
        times["empty"].append(wall(BUILD, work))
        shutil.rmtree(work / "dist")
        times["filled"].append(wall(BUILD, work))
    yield from (
        Figure(f"pass-through, cache {kind}: wall, of cp + sha256sum", *ratio(times[kind], times["cp"], 1.3))
        for kind in ("empty", "filled")
    )
    forget(work)
    yield from memory("pass-through, cache empty", peak(BUILD, work))
    shutil.rmtree(work / "dist")
    yield from memory("pass-through, cache filled", peak(BUILD, work))


def memory(what: str, most: Peak) -> Iterator[Figure]:
    yield Figure(f"{what}: anonymous, all processes", most.tree / MB, 150, "MB")
    yield Figure(f"{what}: anonymous, largest", most.single / MB, 150, "MB", most.who)


def copy_and_hash(work: Path, source: list[str]) -> float:
    target = work / "copy"
    target.mkdir(exist_ok=True)
    copied = [str(target / Path(path).name) for path in source]
    seconds = wall(["cp", *source, str(target)], work) + wall(["sha256sum", *copied], work)
    shutil.rmtree(target)
    return seconds


def simplify(work: Path, runs: int) -> Iterator[Figure]:
    """MiniLM-sized, one loader that is a library: what we add to what the library does."""
    project(work, {"encoder": "encoder.onnx"}, "simplify()")
    make("encoder", work / "encoder.onnx")
    script = python("-m", "benchmarks.straight", str(work / "encoder.onnx"), str(work / "simplified.onnx"))
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(runs):
        theirs.append(wall(script, work))
        forget(work)
        ours.append(wall(BUILD, work))
    yield Figure("simplify: wall, of a straight script", *ratio(ours, theirs, 1.15))
    theirs_most = [peak(script, work).tree for _ in range(2)]
    ours_most = []
    for _ in range(2):
        forget(work)
        ours_most.append(peak(BUILD, work).tree)
    detail = f"{max(ours_most) / MB:.0f} of {max(theirs_most) / MB:.0f} MB"
    yield Figure("simplify: peak memory, of a straight script", max(ours_most) / max(theirs_most), 1.1, detail=detail)


def no_change(work: Path, runs: int) -> Iterator[Figure]:
    """Ten entries and nothing to do."""
    entries = {f"entry{number}": f"small{number}.onnx" for number in range(10)}
    project(work, entries, "")
    for number in range(10):
        make("small", work / f"small{number}.onnx", number)
    wall(BUILD, work)
    wall(BUILD, work)  # compares by content what was written a moment before the first one ended
    times: dict[str, list[float]] = {"click": [], "build": [], "help": []}
    for _ in range(4 * runs):
        times["click"].append(wall(python("-c", "import click"), work))
        times["build"].append(wall(BUILD, work))
        times["help"].append(wall(python("-m", "bundler", "--help"), work))
    yield Figure('no-change build: wall, of "import click"', *ratio(times["build"], times["click"], 5))
    yield Figure('mbundle --help: wall, of "import click"', *ratio(times["help"], times["click"], 2))
    imported = heavy_imports(work)
    yield Figure("no-change build: heavy libraries imported", len(imported), 0, "", " ".join(imported))


def heavy_imports(work: Path) -> list[str]:
    """Which heavy libraries any process of a no-change build imports; Python itself reports every import."""
    environ = {"PYTHONPROFILEIMPORTTIME": "1", "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    import os

    done = subprocess.run(BUILD, cwd=work, env=os.environ | environ, capture_output=True, text=True, check=True)
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "click" in names, "the report of imports is missing"
    return sorted(names & set(HEAVY))


def ratio(ours: list[float], theirs: list[float], limit: float) -> tuple[float, float, str, str]:
    one, other = statistics.median(ours), statistics.median(theirs)
    return one / other, limit, "x", f"{one:.3f} s of {other:.3f} s, medians of {len(ours)}"


def project(work: Path, entries: dict[str, str], chain: str, output: str = "dir='dist'") -> None:
    """A config whose entries each have the one chain. `output`: arguments of Output."""
    rows = "".join(f"    {name!r}: Entry(source={source!r}, use=[{chain}]),\n" for name, source in entries.items())
    (work / "model.config.py").write_text(
        "from bundler import Entry, Output, define_config\nfrom bundler.loaders import quantize_weights, simplify\n\n"
        f"config = define_config(entries={{\n{rows}}}, output=Output({output}))\n"
    )


def forget(work: Path) -> None:
    """As on a fresh machine."""
    for name in ("dist", ".mbundle"):
        shutil.rmtree(work / name, ignore_errors=True)


def make(kind: str, path: Path, seed: int = 0) -> None:
    wall(python("-m", "benchmarks.made_models", kind, str(path), str(seed)), path.parent)


def warm_cache(paths: list[str]) -> None:
    """Reads the files once: neither side shall pay for the disk's first read."""
    subprocess.run(["cat", *paths], stdout=subprocess.DEVNULL, check=True)


PARTS: dict[str, Callable[[Path, int], Iterator[Figure]]] = {
    "pass-through": pass_through,
    "simplify": simplify,
    "no-change": no_change,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them by default")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", help="folder to work in; its disk is what is measured")
    arguments = parser.parse_args()
    held = True
    for name in arguments.parts or PARTS:
        with tempfile.TemporaryDirectory(dir=arguments.work, prefix="mbundle-bench-") as folder:
            for figure in PARTS[name](Path(folder), arguments.runs):
                print(figure, flush=True)
                held = held and figure.value <= figure.limit
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
