"""What the config and a step's loader say of the step, as data: no model is looked at."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import Any

from ..config.schema import EntrySpec, LoaderSpec
from ..process import Limits


def step_limits(loader: Any, nbytes: int) -> Limits:
    """What applying a loader to a model may use; a search has its own time on top. None is a plain function."""
    limits = Limits.for_model(nbytes)
    return replace(limits, wall=limits.wall + getattr(loader, "seconds", 0.0))


def extra_files(spec: LoaderSpec, root: str) -> tuple[str, ...]:
    """Absolute paths of what the step reads beside the model."""
    loader = loader_of(spec)
    return tuple(os.path.join(root, path) for path in (loader.reads() if loader else ()))


def golden_files(entry: EntrySpec) -> tuple[str, ...]:
    """Absolute paths of the samples that every step of the entry is verified on, and of those it is calibrated on."""
    golden = entry.golden
    return tuple(filter(None, (golden.path, golden.calibration))) if golden is not None and golden.path else ()


def preload(spec: LoaderSpec) -> tuple[str, ...]:
    """Modules worth importing before the step's child is forked: of the distributions that it says it depends on."""
    loader = loader_of(spec)
    return tuple(tool.replace("-", "_") for tool in loader.tools) if loader else ()


def recodes(spec: LoaderSpec) -> bool:
    """Whether the step is about a KV cache: nodes that it adds are bytes, and what it saves is no file."""
    return bool(getattr(loader_of(spec), "recodes_cache", False))


def bar(entry: EntrySpec) -> float:
    """The least value of its golden metric that the entry asks for; -inf: none is."""
    golden = entry.golden
    return -math.inf if golden is None or golden.at_least is None or not golden.path else golden.at_least


def loader_of(spec: LoaderSpec) -> Any:
    """The loader as data, for what it says of itself; None for a plain function."""
    if spec.kind == "function":
        return None
    from .registry import make

    return make(spec)
