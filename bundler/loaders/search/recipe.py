"""A recipe: which weights get which precision, as steps that a config can name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

from ...graph.model import Model, Weight
from ..base import Context, Skip
from ..quantize_weights import QuantizeWeights

CHOICES: tuple[QuantizeWeights, ...] = (
    QuantizeWeights(bits=8, block_size="row"),
    QuantizeWeights(bits=8, block_size=128),
    QuantizeWeights(bits=4, block_size=32, symmetric=False),
    QuantizeWeights(bits=4, block_size=128, symmetric=False),
)
"""What a weight can become, beside staying as it is. In the order in which a recipe's steps run."""

PROBE = 2
"""The choice that a weight's sensitivity is measured with; the errors of the others are to it as SHARES."""
SHARES = (1 / 120, 1 / 250, 1.0, 1.5)
"""Squared error of each choice over that of the probe, as uniform rounding of normal weights has it: a guess that only
orders the moves; what counts is measured with the metric."""


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
    """Steps for disjoint sets of weights; each step leaves the others alone, so their order does not matter."""

    steps: tuple[QuantizeWeights, ...]

    @classmethod
    def of(cls, assigned: Mapping[str, int]) -> Recipe:
        """`assigned`: weight -> index into CHOICES."""
        steps = []
        for index, choice in enumerate(CHOICES):
            names = tuple(name for name, chosen in assigned.items() if chosen == index)
            if names:
                steps.append(replace(choice, tensors=names))
        return cls(tuple(steps))

    def apply(self, model: Model, context: Context) -> Model:
        """What the steps give, one after the other."""
        for step in self.steps:
            try:
                model = step.apply(model, context)
            except Skip:
                continue
        return model

    def as_json(self) -> list[dict[str, Any]]:
        """One object a step: its options that are not the defaults."""
        plain = asdict(QuantizeWeights())
        return [{k: v for k, v in asdict(step).items() if v != plain[k]} for step in self.steps]


def sources(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """`Recipe.as_json` as Python calls, for a config."""
    return [
        f"quantize_weights({', '.join(f'{name}={_literal(value)}' for name, value in step.items())})" for step in steps
    ]


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        import json

        return json.dumps(value)
    return repr(value)
