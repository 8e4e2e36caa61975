"""From what the config asks for to a plan. The child's function: it opens the graph, and onnxruntime for the types."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby
from typing import Any

from ..catalogue import problem
from ..config.suggest import closest
from ..errors import StepError, printable
from ..graph.generation import ENCODED, generation_of
from ..graph.model import Model
from ..loaders.split import Split
from ..loaders.verify.baseline import Baseline
from ..loaders.verify.cache import stored
from ..loaders.verify.feeds import first_line
from ..loaders.verify.samples import load
from ..loaders.verify.scales import of_model
from . import cuts
from .cuts import Uncuttable
from .nodes import Node, Nodes, read
from .plan import Found, Plan, Type
from .types import bytes_of, shapes_on, types_of


def search(model: Model, wish: Split, baseline: Baseline, scratch: str) -> Found:
    """Raises StepError MB330 when the model cannot be cut so."""
    import onnx

    graph = read(onnx.load_model_from_string(model.skeleton).graph)
    try:
        if graph.loose:
            raise Uncuttable(f'output "{printable(graph.loose[0], 80)}" is not computed')
        types, sizes = _known(model, graph, baseline, scratch)
        stages = _stages(graph, model, wish, cuts.crossing(graph, sizes))
        return _found(model, graph, stages, types, sizes)
    except Uncuttable as reason:
        raise StepError(problem("MB330", f"split: {printable(str(reason), 300)}", step="split")) from reason


def _known(model: Model, graph: Nodes, baseline: Baseline, scratch: str) -> tuple[dict[str, Type], dict[str, float]]:
    taken = {name for node in graph.nodes for name in node.takes}
    names = [name for node in graph.nodes for name in node.makes if name in taken]
    try:
        types = types_of(model, names, scratch)
    except Exception as error:  # operators that the app brings itself, for one
        raise Uncuttable(f"it cannot be opened here: {first_line(error)}") from error
    shapes: dict[str, tuple[int, ...]] = {}
    if baseline.path:
        sample = next(load(baseline, model.signature))[0]
        feeds = stored(sample, model.signature.inputs, of_model(model))
        with contextlib.suppress(Exception):  # then the declared shapes have to do
            shapes = shapes_on(model, types, feeds, scratch)
    return types, bytes_of(types, shapes)


def _stages(graph: Nodes, model: Model, wish: Split, costs: Sequence[float]) -> list[int]:
    if wish.by == "encoder":
        return cuts.by_inputs(graph, _decoding(model))
    if wish.at:
        for name in wish.at:
            _check_name(name, graph)
        return cuts.by_names(graph, wish.at)
    loads, sizes = _loads(graph.nodes, model, layers=wish.by == "layers")
    if wish.stages is not None:
        if wish.stages > len(graph.nodes):
            raise Uncuttable(f"it has {len(graph.nodes)} operators, which do not make {wish.stages} stages")
        return cuts.into(costs, loads, sizes, wish.stages)
    return cuts.within(costs, loads, sizes, wish.max_bytes or 0)


def _decoding(model: Model) -> set[str]:
    """Inputs that are others for each token of a text."""
    found = generation_of(model.signature, model.signature)
    if found is None or found.start is None:
        raise Uncuttable(f"it is no encoder with a decoder: it has no input {ENCODED}, or no KV cache")
    return {ENCODED, *(past for past, _ in found.cache)}


def _loads(
    nodes: Sequence[Node], model: Model, *, layers: bool
) -> tuple[list[frozenset[Hashable]], Mapping[Hashable, int]]:
    """What fills a stage: bytes of weights, each once; or the number of operators that have weights."""
    weights: dict[Hashable, int] = {weight.name: weight.region.length for weight in model.weights}
    held = [frozenset[Hashable](name for name in node.weights if name in weights) for node in nodes]
    if not layers:
        return held, weights
    return [frozenset([index] if load else []) for index, load in enumerate(held)], dict.fromkeys(range(len(nodes)), 1)


def _check_name(name: str, graph: Nodes) -> None:
    made = [value for node in graph.nodes for value in node.makes]
    if name in made:
        return
    near = closest(name, made)
    hint = f'; did you mean "{printable(near, 80)}"?' if near else ""
    raise Uncuttable(f'no operator makes a value "{printable(name, 80)}"{hint}')


def _found(
    model: Model, graph: Nodes, stages: Sequence[int], types: Mapping[str, Type], sizes: Mapping[str, float]
) -> Found:
    count = max(stages) + 1
    if count == 1:
        return Found(None)
    made = {name: stage for node, stage in zip(graph.nodes, stages, strict=True) for name in node.makes}
    last: dict[str, int] = {}
    for node, stage in zip(graph.nodes, stages, strict=True):
        for name in node.takes:
            last[name] = max(last.get(name, 0), stage)
    handed = {name for name, stage in last.items() if stage > made[name]}
    barred = sorted(handed - types.keys())
    if barred:
        raise Uncuttable(f'"{printable(barred[0], 80)}" would cross, and it is no tensor of numbers')
    crossing = [sum(sizes[n] for n in handed if made[n] <= cut < last[n]) for cut in range(count - 1)]
    plan = Plan(_runs(model, graph, stages), {name: types[name] for name in sorted(handed)})
    return Found(plan, tuple(map(int, crossing)))


def _runs(model: Model, graph: Nodes, stages: Sequence[int]) -> tuple[tuple[int, int], ...]:
    import onnx

    total = len(onnx.load_model_from_string(model.skeleton).graph.node)
    of: dict[int, int] = {node.index: stage for node, stage in zip(graph.nodes, stages, strict=True)}
    every = (of.get(index, -1) for index in range(total))
    return tuple((stage, len(list(run))) for stage, run in groupby(every))


def options(given: Sequence[tuple[str, Any]]) -> Split:
    return Split(**dict(given))
