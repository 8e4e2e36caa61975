"""Runs a Model on named arrays."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ...graph.model import Model
from ...graph.session import open_session
from .feeds import Array, CannotFeed, Feeds

_COMPARED = "fiubc"
"""numpy kinds: numbers and booleans."""


class Runner:
    """A session and the outputs that can be compared; the first run decides which those are.

    `fast`: for many samples, at the cost of memory."""

    def __init__(self, model: Model, *, fast: bool = False) -> None:
        import onnxruntime

        speed: dict[str, Any] = {"level": "extended", "prepack": True, "threads": os.cpu_count() or 1} if fast else {}
        self._session: Any = open_session(model, **speed)
        self._options = onnxruntime.RunOptions()
        self._options.log_severity_level = 4  # inputs that do not fit are expected here
        self.names: tuple[str, ...] = ()

    def run(self, inputs: Feeds) -> list[Array]:
        """The comparable outputs, in the order of `names`. Raises what onnxruntime raises."""
        if self.names:
            return self.run_for(self.names, inputs)
        names = [output.name for output in self._session.get_outputs()]
        values = dict(zip(names, self._session.run(names, inputs, self._options), strict=True))
        self.names = tuple(name for name, value in values.items() if _comparable(value))
        if not self.names:
            raise CannotFeed("none of its outputs is a tensor of numbers")
        return [values[name] for name in self.names]

    def run_for(self, names: tuple[str, ...], inputs: Feeds) -> list[Array]:
        return list(self._session.run(list(names), inputs, self._options))


def _comparable(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in _COMPARED
