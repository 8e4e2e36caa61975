"""What is being tried: a loader made from its class, or a plain function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..loaders.base import Context
from ..loaders.registry import GROUP
from ..loaders.regression import Allowed
from ..loaders.step import two_arguments
from ..loaders.verify.agreement import Tolerance

Step = Callable[..., Any]


def is_function(subject: Any) -> bool:
    """Whether a config would take it as a plain function; else it is a loader with `apply`."""
    return not hasattr(subject, "apply")


def name_of(subject: Any) -> str:
    """As a build calls it."""
    if is_function(subject):
        return str(getattr(subject, "__qualname__", type(subject).__qualname__))
    return str(getattr(subject, "name", type(subject).__qualname__))


def step_of(subject: Any) -> Callable[[Any, Context], Any]:
    """What a build calls with a model and a context."""
    return two_arguments(subject) if is_function(subject) else subject.apply


def options_of(subject: Any) -> dict[str, Any]:
    """The options that a config gives and that the cache's key holds; a function has none."""
    if is_function(subject):
        return {}
    return {field.name: getattr(subject, field.name) for field in dataclasses.fields(subject) if field.init}


def allowed_of(subject: Any, max_error: float | None) -> Tolerance:
    """How far its results may be from the source's. A function states nothing: that is the author's `max_error`."""
    if is_function(subject):
        return Tolerance(absolute=max_error)
    return Allowed(max_error).after(subject).tolerance


def entry_point_of(subject: Any) -> EntryPoint | None:
    """Under which an installed package announces this loader, or None."""
    kind = type(subject)
    value = f"{kind.__module__}:{kind.__qualname__}"
    points = [point for point in entry_points(group=GROUP) if point.name == getattr(subject, "name", None)]
    return next((point for point in points if point.value.replace(" ", "") == value or point.load() is kind), None)
