"""What golden sets need numpy and onnxruntime for; every function here is a child's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from ..catalogue import problem
from ..config.evaluate import evaluate_function
from ..config.schema import GoldenSpec
from ..emit.manifest import Variant
from ..errors import ConfigError, InputError
from ..graph.model import Model
from ..loaders.verify import recorded, samples
from ..loaders.verify.archive import Column, Writer
from ..loaders.verify.baseline import Baseline
from ..loaders.verify.cache import plain_one, stored
from ..loaders.verify.compare import compare
from ..loaders.verify.feeds import Array, first_line
from ..loaders.verify.given import Given
from ..loaders.verify.measured import evaluate
from ..loaders.verify.measured import recorded as columns
from ..loaders.verify.metric import Metric
from ..loaders.verify.metrics import NAMED
from ..loaders.verify.scales import Scales, may_have, of_file
from .assemble import GRAPH, assemble
from .emitted import Emitted
from .tensor import WIDTHS, Feeds, Tensor

_TELLING = ("top1", "top5")
"""Named metrics that are shown beside the one that was asked for, where they mean anything."""


def record(
    model: Model,
    target: str,
    golden: GoldenSpec | None,
    config_file: str,
    mode: Literal["development", "production"],
    source: dict[str, str],
) -> dict[str, Any]:
    """Writes the golden set `target` of the source `model`. InputError MB529."""
    given, origin = _given(golden, config_file, mode)
    baseline = samples.record(model, target, given, whole=True)
    if not baseline.samples:
        raise InputError(problem("MB529", f"{baseline.note or 'there is no sample'}."))
    recorded.write_meta(target, baseline, origin, source)
    return {"samples": baseline.samples, "inputsFrom": origin, "outputs": list(baseline.outputs)}


def _given(
    golden: GoldenSpec | None, config_file: str, mode: Literal["development", "production"]
) -> tuple[Given, str]:
    if golden is None:
        return "", "generated"
    if golden.inputs_where:
        return evaluate_function(config_file, golden.inputs_where, mode), "function"
    if golden.inputs:
        return golden.inputs, "folder"
    try:
        return golden.path, str(recorded.meta_of(golden.path)["inputsFrom"])
    except InputError:
        return golden.path, "file"


def run_emitted(dist: str, variant: Variant, golden: str, found: str, folder: str) -> str:
    """Runs the emitted files in native onnxruntime on every sample; outputs go to `found`. Why it failed, or ""."""
    import onnxruntime

    baseline = recorded.read(golden)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = os.cpu_count() or 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    try:
        assemble(dist, variant, folder)
        emitted = Emitted(folder, variant, options)
        names = outputs_of(baseline, variant)
        scales = of_file(os.path.join(folder, GRAPH)) if may_have(variant.inputs) else {}
        with Writer(found) as writer, np.load(golden, allow_pickle=False) as expected:
            for sample, inputs in enumerate(_inputs(baseline, variant, scales)):
                for index, array in enumerate(emitted.run(names, inputs)):
                    like = partial(_expected, expected, baseline, sample, names[index])
                    writer.put(f"{sample}/{index}", plain_one(names[index], array, like, scales))
    except InputError:
        raise
    except Exception as error:
        return first_line(error)
    return ""


def _expected(arrays: Any, baseline: Baseline, sample: int, name: str) -> Array:
    found: Array = arrays[f"{sample}/out/{baseline.outputs.index(name)}"]
    return found


def outputs_of(baseline: Baseline, variant: Variant) -> tuple[str, ...]:
    """The compared outputs that the variant has."""
    names = {port.name for port in variant.outputs}
    return tuple(name for name in baseline.outputs if name in names)


def _inputs(baseline: Baseline, variant: Variant, scales: Scales) -> Iterator[dict[str, Array]]:
    wanted = {port.name for port in variant.inputs}
    with np.load(baseline.path, allow_pickle=False) as arrays:
        for sample in range(baseline.samples):
            named = enumerate(baseline.inputs)
            feeds = {name: arrays[f"{sample}/in/{index}"] for index, name in named if name in wanted}
            yield stored(feeds, variant.inputs, scales)


def tensors(dist: str, golden: str, variant: Variant, most: int | None, scratch: str) -> list[Feeds]:
    """The samples as a page takes them, at most so many."""
    found: list[Feeds] = []
    for inputs in _inputs(recorded.read(golden), variant, _scales(dist, variant, scratch)):
        if most is not None and len(found) >= most:
            break
        found.append({name: _tensor(array) for name, array in inputs.items()})
    return found


def _tensor(array: Array) -> Tensor:
    if array.dtype.name not in WIDTHS:
        raise ConfigError(problem("MB523", f"A page cannot be given values of type {array.dtype.name}."))
    return Tensor(array.dtype.name, array.shape, np.ascontiguousarray(array).tobytes())


def _scales(dist: str, variant: Variant, scratch: str) -> Scales:
    """Those of a cache that an operator keeps in few bits."""
    if not may_have(variant.inputs):
        return {}
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        return of_file(assemble(dist, variant, folder))


def keep(dist: str, outputs: list[Feeds], golden: str, variant: Variant, found: str, scratch: str) -> str:
    """Writes what a page gave to `found`, as `run_emitted` does. What is amiss with it, or ""."""
    baseline = recorded.read(golden)
    names, scales = outputs_of(baseline, variant), _scales(dist, variant, scratch)
    with Writer(found) as writer, np.load(golden, allow_pickle=False) as expected:
        for sample, values in enumerate(outputs):
            for index, name in enumerate(names):
                if name not in values:
                    return f'it has no output "{name}"'
                one = values[name]
                array = np.frombuffer(one.data, one.dtype).reshape(one.dims)
                like = partial(_expected, expected, baseline, sample, name)
                writer.put(f"{sample}/{index}", plain_one(name, array, like, scales))
    return ""


def figures(
    golden: str, variant: Variant, found: str, native: str, metrics: tuple[Metric, ...], count: int | None
) -> dict[str, Any]:
    """How far the outputs in `found` are from the recorded ones, and from those in `native` if it is named.

    `count`: samples that were run, None: all. ConfigError MB325 when a metric of the user's fails.
    """
    baseline = recorded.read(golden)
    names = outputs_of(baseline, variant)
    total = baseline.samples if count is None else min(count, baseline.samples)
    with np.load(golden, allow_pickle=False) as expected, np.load(found, allow_pickle=False) as results:
        reference, feeds = (
            {k: _first(v, total) for k, v in part.items()} for part in columns(baseline, expected, names)
        )
        outputs = _columns(results, names, total)
        agreement = compare(names, _pairs(reference, outputs, names, total), baseline.probabilities)
        row: dict[str, Any] = {"samples": total, "broken": agreement.broken}
        if agreement.broken:
            return row
        row |= {"maxAbs": agreement.absolute, "maxRel": agreement.relative, "cosine": agreement.cosine}
        row |= {name: value for name in _TELLING if (value := _telling(name, outputs, reference)) is not None}
        row["metrics"] = {"cosine": agreement.cosine} | {
            one.golden.metric: evaluate(one, outputs, reference, feeds) for one in metrics
        }
        if native:
            with np.load(native, allow_pickle=False) as arrays:
                pairs = _pairs(_columns(arrays, names, total), outputs, names, total)
                near = compare(names, pairs, baseline.probabilities)
                row["native"] = {"cosine": near.cosine, "maxRel": near.relative}
    return row


def _first(column: Sequence[Array], total: int) -> Sequence[Array]:
    return column if len(column) == total else column[:total]


def _columns(archive: Any, names: Sequence[str], total: int) -> dict[str, Sequence[Array]]:
    return {name: Column(archive, lambda n, i=i: f"{n}/{i}", total) for i, name in enumerate(names)}  # type: ignore[misc]


def _pairs(
    expected: dict[str, Sequence[Array]], found: dict[str, Sequence[Array]], names: Sequence[str], total: int
) -> Iterator[tuple[list[Array], list[Array]]]:
    for sample in range(total):
        yield [expected[name][sample] for name in names], [found[name][sample] for name in names]


def _telling(name: str, outputs: Any, reference: Any) -> float | None:
    try:
        return float(NAMED[name](outputs, reference, {}))
    except ValueError:
        return None


def meta(golden: str) -> dict[str, Any]:
    """What the golden set says of itself. InputError MB523."""
    return recorded.meta_of(golden)
