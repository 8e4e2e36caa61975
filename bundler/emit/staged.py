"""The files of a split variant: a graph file for each stage, and one of the whole that no page downloads.

Chunks are planned as if each stage were a variant, so no chunk mixes what two stages need. The logical files of all
stages are the variant's; the whole graph finds each weight in the first stage that has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..chunks.label import VariantId
from ..chunks.placement import Placement
from ..graph.model import Model
from ..graph.splice import Place
from ..graph.write import graph_file
from .describe import put_graph
from .manifest import Stage
from .transaction import Transaction


def part(key: VariantId, number: int) -> VariantId:
    """Stands for a stage while chunks are planned."""
    return key[0], f"{key[1]}\0{number}"


def put_stages(
    transaction: Transaction, key: VariantId, stages: Sequence[Model], placements: Mapping[VariantId, Placement]
) -> tuple[Stage, ...]:
    """Adds the graph files of the stages to the output. `placements`: by `part`."""
    found = []
    for number, model in enumerate(stages):
        placement = _own(placements[part(key, number)], number)
        ref = put_graph(transaction, key[0], f"{key[1]}-{number + 1}", graph_file(model, placement.places))
        paths = tuple(file.path for file in placement.data)
        found.append(Stage(ref, paths, model.signature.inputs, model.signature.outputs))
    return tuple(found)


def joined(
    key: VariantId, model: Model, stages: Sequence[Model], placements: Mapping[VariantId, Placement]
) -> Placement:
    """Where the weights of a variant are, split or not."""
    if not stages:
        return placements[key]
    own = [_own(placements[part(key, number)], number) for number in range(len(stages))]
    places: dict[str, Place] = {}
    for stage, placement in zip(stages, own, strict=True):
        for weight, place in zip(stage.weights, placement.places, strict=True):
            places.setdefault(weight.name, place)
    data = tuple(file for placement in own for file in placement.data)
    return Placement(data, tuple(places.get(weight.name) for weight in model.weights))


def _own(placement: Placement, number: int) -> Placement:
    """With names that no other stage's files have."""
    data = tuple(replace(file, path=_path(file.path, number)) for file in placement.data)
    places = tuple(place and (_path(place[0], number), place[1]) for place in placement.places)
    return Placement(data, places)


def _path(path: str, number: int) -> str:
    return f"stage-{number + 1}.{path}"
