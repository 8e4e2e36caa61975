"""The contract of a loader: one optimisation step, `Model -> Model`.

A loader is a frozen dataclass whose fields are its options, registered by name. It is built inside the user's
config, where nothing heavy may be imported, and applied inside a child process with limits, where it may
import what it needs. It must be pure: same model, options and tool versions, same bytes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from ..graph.model import Model
from .verify.baseline import Baseline
from .verify.metric import Metric


class Skip(Exception):
    """Raised by a loader that cannot do anything for this model; the message is the reason, half a sentence."""


def silent(message: str) -> None:
    """A log that nobody reads; a function by name, so that a Context can be sent to a child."""


def nothing(name: str, value: Any) -> None:
    """Details that nobody reads."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a loader gets beside the model."""

    scratch: str
    """An empty folder of the step's own, on the cache's filesystem. Files that the result refers to must lie here."""
    mode: Literal["development", "production"]
    root: str
    entry: str
    target_ir: int = 10
    target_opset: int = 22
    samples: Baseline | None = None
    """Inputs and the source's outputs for them; only for loaders with `wants_samples`."""
    calibration: Baseline | None = None
    """Other inputs, for what learns from them; None: `samples` are all there is."""
    metric: Metric | None = None
    """The entry's own golden metric."""
    at_least: float = float("-inf")
    """What the entry's golden set asks for."""
    detail: Callable[[str, Any], None] = nothing
    """Notes a name and a JSON value for stats.json."""
    log: Callable[[str], None] = silent
    """One line for the build's output, e.g. why the step changed nothing."""


class Loader(Protocol):
    """See the module's header."""

    name: ClassVar[str]
    version: ClassVar[str]
    """Bumped whenever the same input would give other bytes. Part of the cache key."""
    tools: ClassVar[tuple[str, ...]]
    """Distributions whose versions are part of the cache key, e.g. ("onnxsim", "onnx")."""
    max_error: ClassVar[float]
    """Default tolerance: largest difference to the source's outputs, relative to their largest magnitude."""
    min_cosine: ClassVar[float]
    """Default tolerance: least cosine between an output and the source's."""
    warn_cosine: ClassVar[float]
    """Below this cosine the step stays, and the build says how far off it is."""

    seconds: float
    """What it may take beside the ten minutes that every step has. May be left out: then 0."""
    finds_recipe: ClassVar[bool]
    """Whether it notes a "recipe" that `build --write` can put in its place. May be left out: then it does not."""
    wants_samples: ClassVar[bool]
    """Whether its context has `samples`. May be left out: then it has not."""
    recodes_cache: ClassVar[bool]
    """Whether it may change the type of a KV cache (`past_key_values.*`, `present.*`). May be left out: then it may
    not."""
    drops_ports: ClassVar[bool]
    """Whether it may take outputs away, and inputs that nothing needs then. What stays keeps name, type, shape and
    order. May be left out: then it may not."""

    def reads(self) -> tuple[str, ...]:
        """Extra files whose bytes the step depends on (calibration data), relative to the root or absolute."""
        ...

    def apply(self, model: Model, context: Context) -> Model:
        """Returns the new model, or `model` itself when nothing was to be done. Raises Skip with the reason why not."""
        ...
