"""dedupe: weights that are equal become one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from ..graph.model import Model
from .base import Context


@dataclass(frozen=True, slots=True)
class Dedupe:
    """One copy of each weight in the graph. Equal weights are one file on the network anyway; this way they are one in
    the page's memory too, and what is tied is quantized once."""

    name: ClassVar[str] = "dedupe"
    version: ClassVar[str] = "2"
    tools: ClassVar[tuple[str, ...]] = ("onnx-ir", "onnx")
    max_error: ClassVar[float] = 0.0
    min_cosine: ClassVar[float] = 0.9999
    warn_cosine: ClassVar[float] = 0.9999

    def reads(self) -> tuple[str, ...]:
        return ()

    def apply(self, model: Model, context: Context) -> Model:
        edited = model.to_ir()
        gone = [_merge(twins) for twins in _twins(edited.graph)]
        result = model.with_ir(edited, context.scratch) if gone else model
        if result.nbytes >= model.nbytes:
            return model
        copies = "1 copy" if sum(gone) == 1 else f"{sum(gone)} copies"
        context.log(f"without {copies} of {len(gone)} weight{'s' * (len(gone) > 1)}")
        return result


def _merge(twins: list[Any]) -> int:
    """Redirects every use to the first; returns how many went."""
    import onnx_ir

    first, *others = twins
    for value in others:
        onnx_ir.convenience.replace_all_uses_with(value, first)
        del value.graph.initializers[value.name]
    return len(others)


def _twins(graph: Any) -> Iterator[list[Any]]:
    """Groups of equal initializers, in the order of the first of each. What is an input or output is left alone: its
    name is the page's."""
    alike: dict[Any, list[Any]] = defaultdict(list)
    for value in graph.initializers.values():
        if value.const_value is not None and not value.is_graph_output() and not value.is_graph_input():
            alike[_looks(value)].append(value)
    for group in alike.values():
        if len(group) > 1:
            yield from _equal(group)


def _looks(value: Any) -> Any:
    """What equal weights have in common and is known without reading them."""
    tensor = value.const_value
    return str(tensor.dtype), tuple(tensor.shape.numpy())


def _equal(values: list[Any]) -> Iterator[list[Any]]:
    """By digest: a thousand biases of one shape are read once each."""
    from hashlib import sha256

    same: dict[Any, list[Any]] = defaultdict(list)
    for value in values:
        tensor = value.const_value
        digest = tensor.numpy().tobytes() if tensor.dtype.name == "STRING" else sha256(tensor.tobytes()).digest()
        same[digest].append(value)
    yield from (group for group in same.values() if len(group) > 1)
