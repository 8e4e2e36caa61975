"""How a model is cut, as data that children and the cache hand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True)
class Type:
    """`shape` None: unknown rank. Symbols are those of the model's inputs; other dimensions that vary are None."""

    dtype: str
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class Plan:
    """JSON-able. `runs`: (stage, number of nodes) over all nodes of the graph in order; stage -1: in none of them.
    `types`: of the values that cross."""

    runs: tuple[tuple[int, int], ...]
    types: Mapping[str, Type]

    def as_json(self) -> dict[str, Any]:
        types = {name: [one.dtype, None if one.shape is None else list(one.shape)] for name, one in self.types.items()}
        return {"runs": [list(run) for run in self.runs], "types": types}

    @classmethod
    def from_json(cls, value: Any) -> Plan:
        types = {
            name: Type(dtype, None if shape is None else tuple(shape))
            for name, (dtype, shape) in value["types"].items()
        }
        return cls(tuple((stage, count) for stage, count in value["runs"]), types)


@dataclass(frozen=True, slots=True)
class Found:
    """`plan` None: one stage is all that it takes. `crossing`: bytes that cross each cut on the first sample."""

    plan: Plan | None
    crossing: tuple[int, ...] = ()
