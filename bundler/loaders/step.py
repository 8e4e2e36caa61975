"""One step, inside its child: make the loader again, apply it, judge what it returned."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..catalogue import problem
from ..config.schema import LoaderSpec
from ..errors import InputError, StepError
from ..graph.model import Model
from .base import Context, Skip


@dataclass(frozen=True, slots=True)
class StepResult:
    """`skipped`: why there is no new model, else "". `log`: what the loader told through its context.
    `refused`: what our reader says against the file that a library made, else ""."""

    model: Model
    skipped: str = ""
    log: tuple[str, ...] = ()
    refused: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    """What the loader noted for stats.json."""


def apply_step(spec: LoaderSpec, model: Model, context: Context, config_file: str) -> StepResult:
    """The child's function. `config_file`: for plain functions, which are found again by evaluating it."""
    log: list[str] = []
    details: dict[str, Any] = {}
    context = replace(context, log=log.append, detail=details.__setitem__)
    step = _step(spec, context, config_file)
    try:
        result = step(model, context)
    except Skip as skip:
        return StepResult(model, str(skip) or "it does not apply", tuple(log), details=details)
    except InputError as error:
        first = error.problems[0]
        if not first.file.startswith(context.scratch + os.sep):
            raise
        return StepResult(model, "", tuple(log), refused=first.what)
    return StepResult(checked(result, spec.name, context.entry), "", tuple(log), details=details)


def _step(spec: LoaderSpec, context: Context, config_file: str) -> Callable[[Model, Context], Any]:
    if spec.kind != "function":
        apply: Callable[[Model, Context], Any] = _loader(spec, context, config_file).apply
        return apply
    from ..config.evaluate import evaluate_function

    return two_arguments(evaluate_function(config_file, spec.where, context.mode))


def _loader(spec: LoaderSpec, context: Context, config_file: str) -> Any:
    """The loader, with the functions among its options."""
    from ..config.options import FUNCTION, given_options
    from .registry import make

    loader: Any = make(spec)
    functions = [name for name, value in spec.options if value == FUNCTION]
    if not functions:
        return loader
    from ..config.evaluate import evaluate_function

    given = given_options(evaluate_function(config_file, spec.where, context.mode))
    return replace(loader, **{name: given[name] for name in functions})


def two_arguments(function: Callable[..., Any]) -> Callable[[Model, Context], Any]:
    """A plain function takes the model, or the model and the context."""
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return lambda model, context: function(model)
    return function


def checked(result: Any, step: str, entry: str) -> Model:
    """What a loader returned, if it is a model. Raises StepError (MB310, MB311)."""
    if isinstance(result, Model):
        return result
    if result is None:
        raise StepError(problem("MB310", f"{step} returned nothing", entry=entry, step=step))
    kind = f"{type(result).__module__}.{type(result).__qualname__}".removeprefix("builtins.")
    what = f"{step} returned {kind}, not a bundler Model"
    raise StepError(problem("MB311", what, fix=_remedy(kind), entry=entry, step=step))


def _remedy(kind: str) -> str | None:
    if kind.startswith("onnx_ir."):
        return "Take the context as second argument and return `model.with_ir(edited, context.scratch)`."
    if kind.startswith("onnx."):
        return "Edit `model.to_ir()` instead of a ModelProto, and return `model.with_ir(edited, context.scratch)`."
    return None
