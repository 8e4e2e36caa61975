"""What a chain of steps works with: the input of a step, the cache of results, what all chains of a build share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..config.schema import LoaderSpec
from ..graph.model import Model
from .record import StepRecord


@dataclass(frozen=True, slots=True)
class StepInput:
    """All that a step's result and record depend on; `context` is JSON values."""

    spec: LoaderSpec
    model: Model
    source: Model
    """The entry's model before the first step."""
    version: str
    tools: tuple[str, ...]
    files: tuple[str, ...]
    """Absolute paths of extra files whose bytes the step or its verification reads."""
    context: dict[str, Any]


class StepCache(Protocol):
    def load(self, step: StepInput) -> tuple[Model, StepRecord] | None:
        """None is a miss, and so is anything that is wrong with the entry."""
        ...

    def save(self, step: StepInput, result: Model, record: StepRecord) -> Model:
        """The model to go on with: the same, but its weights lie where they outlive the step's scratch folder."""
        ...


class NoCache:
    """Results live in the scratch folder for as long as the build runs."""

    def load(self, step: StepInput) -> tuple[Model, StepRecord] | None:
        return None

    def save(self, step: StepInput, result: Model, record: StepRecord) -> Model:
        return result


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all chains of a build share. `scratch`: folder on the cache's filesystem that the caller removes."""

    root: str
    config_file: str
    mode: Literal["development", "production"]
    scratch: str
    cache: StepCache = field(default_factory=NoCache)
    target_ir: int = 10
    target_opset: int = 22
    told: Callable[[str, str], None] = lambda label, line: None
    """Gets (label of the step, one line) while the build runs."""
