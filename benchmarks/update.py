"""What a returning user downloads after an update: `python -m benchmarks.update`.

Three model shapes, seven edits, our planner beside greedy sharding (onnx-ir's way, 16 MiB) and fixed 4 MiB blocks. All
three name files by content, so a file that is the same is not fetched again; all three pay for the graph file when it
changes, and for a manifest of our format (gzipped, as hosts send JSON; a graph file they send as it is), which changes
each time and is longer the more files there are. Exit status 1 when a goal is missed:

- at no edit of a shape more than 1.1 x what the better of the two others costs (no slack in bytes; the better one is
  never 0, because at least the manifest or the graph changes);
- over all edits of all shapes at most a third of each.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable
from itertools import accumulate

from bundler.chunks import names
from bundler.chunks.cut import aligned
from bundler.chunks.placement import ChunkRef, DataFile
from bundler.config.schema import ChunkSpec
from bundler.emit.manifest import Entry, FileRef, Manifest, Measured, Requires, Variant

from .cutters import MIB, Cutter, Files, fixed, greedy, ours
from .shapes import SHAPES, Models, Shape, Weight, decoder, digest, edits

GOAL_EACH = 1.1
GOAL_SUM = 1 / 3

OURS = "mbundle"
RIVALS = ("greedy 16 MiB", "fixed 4 MiB")
CUTTERS: dict[str, Cutter] = {
    OURS: ours(ChunkSpec()),
    "greedy 16 MiB": greedy(16 * MIB),
    "fixed 4 MiB": fixed(4 * MIB),
    # For information: the same ways with smaller pieces.
    "greedy 8 MiB": greedy(8 * MIB),
    "fixed 1 MiB": fixed(MIB),
}

DRAWS = 8
"""What we pay hangs on where cuts fall, that is on digests: ratios are the worst of so many draws of them."""

SIZES = [
    ChunkSpec(low << 10, high << 20)
    for low, high in ((1024, 16), (512, 8), (256, 8), (128, 8), (64, 16), (64, 8), (64, 4), (32, 8))
]

NODE_BYTES = 113
"""Of a graph file: an average node of smart-turn-v3.2 (a Whisper encoder, int8, PyTorch's exporter)."""

INITIALIZER_BYTES = 77
"""Of a graph file: a reference to external data, without the tensor's name."""


def downloads(cutter: Cutter, shape: Shape, after: Models) -> int:
    """Bytes of all files of the build `after` that the build of `shape` alone has not."""
    old = _build(cutter, shape, (shape.weights,))
    return sum(nbytes for name, nbytes in _build(cutter, shape, after).items() if name not in old)


def main() -> int:
    totals = dict.fromkeys(CUTTERS, 0)
    missed = []
    print("Megabytes that a returning user downloads (graph file and manifest included)\n")
    for make in SHAPES:
        shape = make()
        _print_head(shape)
        for edit, after in edits(shape):
            costs = {name: downloads(cutter, shape, after) for name, cutter in CUTTERS.items()}
            ratio = max(_ratio(make(draw), edit) for draw in range(DRAWS))
            _print_row(edit, costs.values(), f"{ratio:.2f} x the better")
            missed += [f"{shape.title}, {edit}: {ratio:.3f} x"] if ratio > GOAL_EACH else []
            totals = {name: totals[name] + costs[name] for name in totals}
        print()
    _print_row("all", totals.values(), "")
    for name in list(CUTTERS)[1:]:
        share = totals[OURS] / totals[name]
        verdict = "" if name not in RIVALS else f" (goal: at most {GOAL_SUM:.1%})"
        print(f"mbundle downloads {share:.1%} of what {name} does{verdict}")
        missed += [f"sum: {share:.1%} of {name}"] if name in RIVALS and share > GOAL_SUM else []
    print()
    _print_sizes()
    print("\nGoals met." if not missed else "\nMISSED:\n" + "\n".join(missed))
    return 1 if missed else 0


def _ratio(shape: Shape, edit: str) -> float:
    after = dict(edits(shape))[edit]
    return downloads(CUTTERS[OURS], shape, after) / min(downloads(CUTTERS[name], shape, after) for name in RIVALS)


def _print_sizes() -> None:
    """Why the defaults are what they are."""
    print(f"Other sizes. Decoder head: the worst of {DRAWS} draws")
    print(f"{'min / max':20}{'all edits':>12}{'decoder head':>15}   files on the first visit")
    for spec in SIZES:
        cutter = ours(spec)
        shapes = [make() for make in SHAPES]
        total = sum(downloads(cutter, shape, after) for shape in shapes for _, after in edits(shape))
        heads = [downloads(cutter, shape, dict(edits(shape))["head changed"]) for shape in map(decoder, range(DRAWS))]
        counts = ", ".join(str(len(cutter((shape.weights,)))) for shape in shapes)
        sizes = f"{spec.min_size >> 10} KiB / {spec.max_size >> 20} MiB"
        print(f"{sizes:20}{total / 1e6:12.1f}{max(heads) / 1e6:15.2f}   {counts}")


def _build(cutter: Cutter, shape: Shape, models: Models) -> Files:
    files = cutter(models)
    graphs = {digest([(w.name, w.nbytes) for w in weights]): _graph_bytes(shape, weights) for weights in models}
    manifest = _manifest(files, graphs, models)
    return files | graphs | {digest(manifest): len(gzip.compress(manifest, 6, mtime=0))}


def _graph_bytes(shape: Shape, weights: tuple[Weight, ...]) -> int:
    return NODE_BYTES * shape.nodes + sum(INITIALIZER_BYTES + len(weight.name) for weight in weights)


def _manifest(files: Files, graphs: Files, models: Models) -> bytes:
    """A manifest of the real format with one line for each file and the place of each tensor."""
    offsets = [0, *accumulate(files.values())]
    chunks = tuple(
        ChunkRef(names.chunk(sha256), offset, nbytes, sha256)
        for (sha256, nbytes), offset in zip(files.items(), offsets, strict=False)
    )
    places = tuple(_places(weights) for weights in models)
    entries = {
        f"entry{number}": Entry((_variant(sha256, nbytes, chunks if not number else (), tensors),))
        for number, ((sha256, nbytes), tensors) in enumerate(zip(graphs.items(), places, strict=False))
    }
    return Manifest(entries, "mbundle").to_bytes()


def _places(weights: tuple[Weight, ...]) -> tuple[tuple[int, int], ...]:
    offsets = accumulate((aligned(weight.nbytes) for weight in weights), initial=0)
    return tuple((offset, weight.nbytes) for offset, weight in zip(offsets, weights, strict=False))


def _variant(graph: str, nbytes: int, chunks: tuple[ChunkRef, ...], tensors: tuple[tuple[int, int], ...]) -> Variant:
    data = DataFile("weights-0", sum(chunk.nbytes for chunk in chunks), chunks, tensors)
    ref = FileRef(names.graph("entry", "fp32", graph), nbytes, graph)
    requires = Requires(("Add", "MatMul"), ("float32", "int64"), False, 8, 17, data.nbytes)
    return Variant("fp32", ref, (data,), (), (), requires, Measured(data.nbytes))


def _print_head(shape: Shape) -> None:
    counts = ", ".join(f"{name}: {len(cutter((shape.weights,)))}" for name, cutter in CUTTERS.items())
    print(f"{shape.title}, {shape.nbytes / MIB:.0f} MiB. Files: {counts}")
    print(f"{'':38}" + "".join(f"{name:>15}" for name in CUTTERS))


def _print_row(title: str, costs: Iterable[int], note: str) -> None:
    print(f"{title:38}" + "".join(f"{cost / 1e6:15.2f}" for cost in costs) + f"  {note}")


if __name__ == "__main__":
    sys.exit(main())
