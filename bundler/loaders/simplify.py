"""simplify: folds constants and removes what the graph does not need, with onnxsim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Simplify:
    """Like tree shaking: the same outputs from fewer nodes."""

    name: ClassVar[str] = "simplify"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("onnxsim", "onnx")
    max_error: ClassVar[float] = 1e-4

    skip: tuple[str, ...] = ()
    """onnxsim's optimizer passes to leave out, by name."""
