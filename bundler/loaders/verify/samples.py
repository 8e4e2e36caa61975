"""Inputs to compare on, with the source's outputs for them: recorded once an entry, used after every step.

File: an uncompressed .npz with "<sample>/in/<i>" and "<sample>/out/<i>" by position, because tensor names are not ours
to put into archives.
"""

from __future__ import annotations

import math
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx

from ...errors import printable
from ...graph.model import Model, Signature
from .archive import Writer
from .baseline import Baseline
from .domains import Domains
from .feeds import INTEGERS, Array, CannotFeed, Feeds, feeds
from .outputs import Probabilities
from .session import Runner
from .shapes import Sizes, attempts, other_batch, shape

SAMPLES = 3
SEARCH_SECONDS = 20.0
RUN_SECONDS = 10.0
"""No further sample is begun after this; a big model is compared on fewer."""
_RANDOM = frozenset(
    ["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"]
)


def record(model: Model, path: str, golden: str, whole: bool = False) -> Baseline:
    """Runs the source on samples from the file `golden` or on generated ones; writes `path`. Child's function.

    `whole`: a metric must see every sample, however long that takes.
    """
    try:
        runner, samples = _prepared(model, golden, None if whole else SAMPLES)
        runs = _within(_runs(runner, samples), math.inf if whole else RUN_SECONDS)
        count = _written(runs, path, [port.name for port in model.signature.inputs])
    except CannotFeed as reason:
        return Baseline("", note=str(reason))
    inputs = tuple(port.name for port in model.signature.inputs)
    return Baseline(path, inputs, runner.names, count, Probabilities(_skeleton(model).graph).names())


def _written(runs: Iterator[tuple[Feeds, list[Array]]], path: str, names: list[str]) -> int:
    count = 0
    with Writer(path) as writer:
        for count, (inputs, outputs) in enumerate(runs, 1):
            for i, name in enumerate(names):
                writer.put(f"{count - 1}/in/{i}", inputs[name])
            for i, array in enumerate(outputs):
                writer.put(f"{count - 1}/out/{i}", array)
    return count


def load(baseline: Baseline, signature: Signature) -> Iterator[tuple[Feeds, list[Array]]]:
    """The samples one by one, with those of the source's inputs and compared outputs that `signature` still has."""
    fed = [(i, name) for i, name in enumerate(baseline.inputs) if name in {port.name for port in signature.inputs}]
    left = [i for i, name in enumerate(baseline.outputs) if name in left_of(baseline, signature)]
    with np.load(baseline.path, allow_pickle=False) as arrays:
        for sample in range(baseline.samples):
            yield {name: arrays[f"{sample}/in/{i}"] for i, name in fed}, [arrays[f"{sample}/out/{i}"] for i in left]


def left_of(baseline: Baseline, signature: Signature) -> tuple[str, ...]:
    """The compared outputs that `signature` still has."""
    names = {port.name for port in signature.outputs}
    return tuple(name for name in baseline.outputs if name in names)


def _prepared(model: Model, golden: str, most: int | None) -> tuple[Runner, Iterator[Feeds]]:
    random = sorted(_RANDOM & {op for op, _ in model.ops})
    if random:
        raise CannotFeed(f"it is random ({random[0]})")
    try:
        runner = Runner(model)
    except Exception as error:  # operators that the app brings itself, for one
        raise CannotFeed(f"it cannot be run here: {first_line(error)}") from error
    return runner, _golden(golden, model, most) if golden else _generated(runner, model)


def _runs(runner: Runner, samples: Iterator[Feeds]) -> Iterator[tuple[Feeds, list[Array]]]:
    for sample in samples:
        try:
            yield sample, runner.run(sample)
        except Exception as error:
            raise CannotFeed(f"the source fails on its sample: {first_line(error)}") from error


def _within(items: Iterator[Any], seconds: float) -> Iterator[Any]:
    end = time.monotonic() + seconds
    for item in items:
        yield item
        if time.monotonic() > end:
            return


def _golden(path: str, model: Model, most: int | None) -> Iterator[Feeds]:
    """An .npz whose keys are the inputs' names; an array with one dimension more than its input is a row of samples.
    Or its keys are "<sample>/<input>", for samples of different shapes. `most`: samples that are taken of them."""
    names = [port.name for port in model.signature.inputs]
    try:
        with np.load(path, allow_pickle=False) as file:
            if f"0/{names[0]}" in file:
                count = sum(key.endswith(f"/{names[0]}") for key in file.files)
                for sample in range(min(count, most or count)):
                    yield {name: file[f"{sample}/{name}"] for name in names}
                return
            arrays = {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CannotFeed(f"the golden file has no arrays for its inputs: {first_line(error)}") from error
    yield from _rows(arrays, model, most)


def _rows(arrays: Feeds, model: Model, most: int | None) -> Iterator[Feeds]:
    stacked = {p.name for p in model.signature.inputs if p.shape is not None and arrays[p.name].ndim > len(p.shape)}
    rows = min((len(arrays[name]) for name in stacked), default=1)
    for row in range(min(rows, most or rows)):
        yield {name: array[row] if name in stacked else array for name, array in arrays.items()}


def _generated(runner: Runner, model: Model) -> Iterator[Feeds]:
    maker = _Maker(model)
    sizes = _accepted(runner, maker)
    yield maker.sample(sizes, 0)
    yield maker.sample(sizes, 1)
    bigger = other_batch(model.signature.inputs, sizes)
    yield maker.sample(bigger if bigger != sizes and _runs_with(runner, maker, bigger) else sizes, 2)


class _Maker:
    """Makes samples for one model."""

    def __init__(self, model: Model) -> None:
        self.ports = model.signature.inputs
        domains = Domains(_skeleton(model).graph)
        self._domains = {port.name: domains.of(port.name) for port in self.ports if port.dtype in INTEGERS}
        unranked = [port.name for port in self.ports if port.shape is None]
        if unranked:
            raise CannotFeed(f'input "{printable(unranked[0])}" does not say how many dimensions it has')

    def sample(self, sizes: Sizes, seed: int) -> Feeds:
        return feeds(self.ports, {port.name: shape(port, sizes) for port in self.ports}, self._domains, seed)


def _accepted(runner: Runner, maker: _Maker) -> Sizes:
    """The first sizes that the source runs with."""
    end = time.monotonic() + SEARCH_SECONDS
    reason = "it has no inputs"
    for sizes in attempts(maker.ports):
        try:
            runner.run(maker.sample(sizes, 0))
            return sizes
        except CannotFeed:
            raise
        except Exception as error:
            reason = first_line(error)
        if time.monotonic() > end:
            break
    raise CannotFeed(f"no generated input suits the source: {reason}")


def _runs_with(runner: Runner, maker: _Maker, sizes: Sizes) -> bool:
    try:
        runner.run(maker.sample(sizes, 2))
    except Exception:
        return False
    return True


def _skeleton(model: Model) -> onnx.ModelProto:
    return onnx.load_model_from_string(model.skeleton)


def first_line(error: BaseException) -> str:
    return printable(str(error).strip().partition("\n")[0] or type(error).__name__)
