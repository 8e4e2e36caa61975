"""Inputs to compare on, with the source's outputs for them: recorded once an entry, used after every step.

File: an uncompressed .npz with "<sample>/in/<i>" and "<sample>/out/<i>" by position, because tensor names are not ours
to put into archives.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import onnx

from ...errors import printable
from ...graph.model import Model, Signature
from .archive import Writer
from .baseline import Baseline
from .cache import stored
from .decoding import Decoding
from .domains import Domains
from .feeds import INTEGERS, Array, CannotFeed, Feeds, feeds, first_line
from .given import Given, given
from .outputs import Probabilities
from .scales import of_model
from .session import Runner
from .shapes import Sizes, attempts, other_batch, shape

SAMPLES = 3
SEARCH_SECONDS = 20.0
RUN_SECONDS = 10.0
"""No further sample is begun after this; a big model is compared on fewer."""
_RANDOM = frozenset(
    ["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"]
)


def record(model: Model, path: str, golden: Given, whole: bool = False) -> Baseline:
    """Runs the source on samples from `golden` or, where that is empty, on generated ones; writes `path`. Child's
    function.

    `whole`: a metric must see every sample, however long that takes.
    """
    try:
        runner, samples = _prepared(model, golden, None if whole else SAMPLES)
        runs = _within(_runs(runner, samples, model), math.inf if whole else RUN_SECONDS)
        count, names = _written(runs, path, [port.name for port in model.signature.inputs])
    except CannotFeed as reason:
        return Baseline("", note=str(reason))
    probabilities = Probabilities(_skeleton(model).graph).names()
    return Baseline(path, tuple(names), runner.names, count, probabilities, given=bool(golden))


def _written(runs: Iterator[tuple[Feeds, list[Array]]], path: str, inputs: list[str]) -> tuple[int, list[str]]:
    """How many samples there are, and the names of their arrays: the inputs, then what else the golden set holds."""
    count, names = 0, inputs
    with Writer(path) as writer:
        for count, (sample, outputs) in enumerate(runs, 1):
            names = names if count > 1 else [*inputs, *sorted(sample.keys() - set(inputs))]
            for i, name in enumerate(names):
                writer.put(f"{count - 1}/in/{i}", sample[name])
            for i, array in enumerate(outputs):
                writer.put(f"{count - 1}/out/{i}", array)
    return count, names


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


def _prepared(model: Model, golden: Given, most: int | None) -> tuple[Runner, Iterator[Feeds]]:
    random = sorted(_RANDOM & {op for op, _ in model.ops})
    if random:
        raise CannotFeed(f"it is random ({random[0]})")
    try:
        runner = Runner(model)
    except Exception as error:  # operators that the app brings itself, for one
        raise CannotFeed(f"it cannot be run here: {first_line(error)}") from error
    return runner, islice(given(golden, model), most) if golden else _generated(runner, model)


def _runs(runner: Runner, samples: Iterator[Feeds], model: Model) -> Iterator[tuple[Feeds, list[Array]]]:
    wanted, scales = [port.name for port in model.signature.inputs], of_model(model)
    for given_sample in samples:
        sample = stored(given_sample, model.signature.inputs, scales)
        try:
            outputs = runner.run({name: sample[name] for name in wanted})
        except Exception as error:
            raise CannotFeed(f"the source fails on its sample: {first_line(error)}") from error
        yield sample, outputs


def _within(items: Iterator[Any], seconds: float) -> Iterator[Any]:
    end = time.monotonic() + seconds
    for item in items:
        yield item
        if time.monotonic() > end:
            return


def _generated(runner: Runner, model: Model) -> Iterator[Feeds]:
    maker = _Maker(model)
    sizes = _accepted(runner, maker)
    yield maker.lived(runner, sizes, 0)
    yield maker.lived(runner, sizes, 1)
    bigger = other_batch(model.signature.inputs, sizes)
    yield maker.lived(runner, bigger if bigger != sizes and _runs_with(runner, maker, bigger) else sizes, 2)


class _Maker:
    """Makes samples for one model."""

    def __init__(self, model: Model) -> None:
        self.ports = model.signature.inputs
        self._decoding = Decoding(model.signature)
        domains = Domains(_skeleton(model).graph)
        self._domains = {port.name: domains.of(port.name) for port in self.ports if port.dtype in INTEGERS}
        unranked = [port.name for port in self.ports if port.shape is None]
        if unranked:
            raise CannotFeed(f'input "{printable(unranked[0])}" does not say how many dimensions it has')

    def sample(self, sizes: Sizes, seed: int) -> Feeds:
        sizes = self._decoding.agreeing(sizes)
        return feeds(self.ports, {port.name: shape(port, sizes) for port in self.ports}, self._domains, seed)

    def lived(self, runner: Runner, sizes: Sizes, seed: int) -> Feeds:
        """The same, of a decoder with a past of its own making: of tokens that no sample has."""

        def run(sample: Feeds) -> Feeds:
            values = runner.run(sample)
            return dict(zip(runner.names, values, strict=True))

        before = partial(self.sample, seed=seed + SAMPLES)
        return self._decoding.lived(self.sample(sizes, seed), sizes, before, run)


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
