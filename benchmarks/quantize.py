"""What quantizing costs, beside the stock tools. `python -m benchmarks.quantize [base big]`

A BERT-base of 435 MB in one file and a chain of products of 2.7 GB with external data: dynamic int8 per tensor and per
channel, weight-only 4 bit, float16; each from the source file to emitted chunks, alternately with onnxruntime's tool
for the same. Time is a ratio of medians; memory is anonymous memory beyond what the imports alone take. Exit status 1
when a figure is over its limit. Needs 12 GB of disk and, for the stock tools on the big model, 10 GB of memory.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from compileall import compile_dir
from pathlib import Path

import bundler

from .build import MB, Figure, make, ratio, warm_cache
from .processes import peak, python, wall
from .quantizers import JOBS

SPEED = {"int8": 5.0, "int8-per-channel": 10.0, "4bit": 1.0, "float16": 5.0}
"""How many times the stock tool's speed each job must reach."""
MEMORY = 20.0
"""How many times less memory each job may take."""
MODELS = ("base", "big")


def figures(kind: str, work: Path, runs: int, jobs: list[str]) -> Iterator[Figure]:
    source = work / f"{kind}.onnx"
    make(kind, source)
    warm_cache([str(path) for path in work.iterdir() if path.is_file()])
    ground = {side: beyond(0, side, JOBS[0], source, work) for side in ("bare", "bare-stock")}
    for job in jobs:
        times: dict[str, list[float]] = {"ours": [], "stock": []}
        spent: dict[str, list[float]] = {"ours": [], "stock": []}
        for _ in range(runs):
            for side, found in times.items():
                seconds, cpu = timed(side, job, source, work)
                found.append(seconds)
                spent[side].append(cpu)
        yield Figure(f"{kind}, {job}: wall, of the stock tool", *ratio(times["ours"], times["stock"], 1 / SPEED[job]))
        yield Figure(f"{kind}, {job}: CPU, of the stock tool", *ratio(spent["ours"], spent["stock"], 1))
        ours = beyond(ground["bare"], "ours", job, source, work)
        stock = beyond(ground["bare-stock"], "stock", job, source, work)
        detail = f"{ours / MB:.0f} MB of {stock / MB:.0f} MB"
        yield Figure(f"{kind}, {job}: memory, of the stock tool", ours / stock, 1 / MEMORY, detail=detail)


def timed(side: str, job: str, source: Path, work: Path) -> tuple[float, float]:
    """Seconds by the clock, and of all processors together: the latter hardly depend on who else is at work."""
    before = cpu()
    with tempfile.TemporaryDirectory(dir=work) as folder:
        seconds = wall(command(side, job, source, folder), work)
    return seconds, cpu() - before


def cpu() -> float:
    """Of the processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def beyond(ground: int, side: str, job: str, source: Path, work: Path) -> int:
    """Bytes of anonymous memory above `ground`."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        return peak(command(side, job, source, folder), work).tree - ground


def command(side: str, job: str, source: Path, folder: str) -> list[str]:
    return python("-W", "ignore", "-m", "benchmarks.quantizers", side, job, str(source), folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", choices=[*MODELS, []], help="both by default")
    parser.add_argument("--jobs", nargs="*", default=list(JOBS), choices=JOBS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", help="folder to work in")
    arguments = parser.parse_args()
    compile_dir(Path(bundler.__file__).parent, quiet=1)  # as pip does, and did for the stock tools
    held = True
    for kind in arguments.models or MODELS:
        work = Path(tempfile.mkdtemp(dir=arguments.work, prefix="mbundle-bench-"))
        try:
            for figure in figures(kind, work, arguments.runs, arguments.jobs):
                print(figure, flush=True)
                held = held and figure.value <= figure.limit
        finally:
            shutil.rmtree(work)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
