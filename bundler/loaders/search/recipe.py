"""A recipe: which steps, and which weights get which precision, as calls that a config can make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

from ...graph.model import Model, Weight
from ..base import Context, Skip
from ..quantize_weights import QuantizeWeights


@dataclass(frozen=True, slots=True)
class Choice:
    """What a weight can become. Its error is that of the choice `like`, which is measured, times `share`: a guess that
    only orders the moves (uniform rounding of normal weights); what counts is measured with the metric."""

    step: QuantizeWeights
    like: int
    share: float = 1.0


PLAIN: tuple[Choice, ...] = (
    Choice(QuantizeWeights(bits=8, block_size="row"), 2, 1 / 120),
    Choice(QuantizeWeights(bits=8, block_size=128), 2, 1 / 250),
    Choice(QuantizeWeights(bits=4, block_size=32, symmetric=False), 2),
    Choice(QuantizeWeights(bits=4, block_size=128, symmetric=False), 2, 1.5),
)
"""In the order in which a recipe's steps run."""

CALIBRATED: tuple[Choice, ...] = (
    Choice(QuantizeWeights(bits=4, block_size=64, symmetric=False, calibrate=True), 0),
    Choice(QuantizeWeights(bits=8, block_size="row"), 1),
    Choice(QuantizeWeights(bits=8, block_size=128), 1, 1 / 2),
)
"""Where there are golden inputs. What is rounded with them in view comes first, on the model as it was: a search then
runs them once. It is measured by itself, as how much it gains is another matter for each weight."""


def size_as(weight: Weight, choice: QuantizeWeights) -> int:
    """Bytes of `weight` in that form, about."""
    count = prod(weight.shape)
    if choice.block_size == "row":
        return count + 4 * min(weight.shape[0], weight.shape[-1])
    blocks = count // choice.block_size
    zeros = 0 if choice.symmetric else blocks * choice.bits // 8
    return count * choice.bits // 8 + 4 * blocks + zeros


@dataclass(frozen=True, slots=True)
class Recipe:
    """Loaders, in order."""

    steps: tuple[Any, ...] = ()

    @classmethod
    def of(cls, assigned: Mapping[str, int], choices: Sequence[Choice]) -> Recipe:
        """`assigned`: weight -> index into `choices`. The steps are for disjoint sets of weights."""
        steps = []
        for index, choice in enumerate(choices):
            names = tuple(name for name, chosen in assigned.items() if chosen == index)
            if names:
                steps.append(replace(choice.step, tensors=names))
        return cls(tuple(steps))

    def apply(self, model: Model, context: Context) -> Model:
        """What the steps give, one after the other. For steps of our own kernels: nothing here keeps a crash apart."""
        for step in self.steps:
            try:
                model = step.apply(model, context)
            except Skip:
                continue
        return model

    def as_json(self) -> list[dict[str, Any]]:
        """One object a step: the loader's name and its options that are not the defaults."""
        return [{"loader": step.name, "options": _changed(step)} for step in self.steps]


def _changed(step: Any) -> dict[str, Any]:
    plain = asdict(type(step)())
    return {name: value for name, value in asdict(step).items() if value != plain[name]}


def loaders(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names that a config must import for the steps of `Recipe.as_json`."""
    return [str(step["loader"]) for step in steps]


def sources(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """`Recipe.as_json` as Python calls, for a config."""
    return [
        f"{step['loader']}({', '.join(f'{name}={_literal(value)}' for name, value in step['options'].items())})"
        for step in steps
    ]


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        import json

        return json.dumps(value)
    return repr(value)
