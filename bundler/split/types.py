"""What the values inside a graph are: onnxruntime tells. Unlike onnx's inference it knows its own operators."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..graph.edit import Edit
from ..graph.model import Model
from ..graph.session import open_session
from ..loaders.verify.feeds import Feeds
from .plan import Type

WIDTHS = {
    "float32": 4, "float64": 8, "float16": 2, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2,
    "int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "bool": 1,
}  # fmt: skip
"""Bytes of one element, of those types that a page can hand from one session to the next."""
_NAMES = {"float": "float32", "double": "float64"}
_UNKNOWN = 64
"""Size of a dimension that nobody knows."""
_SHAPE = "mbundle.shape:"


def types_of(model: Model, names: Iterable[str], scratch: str) -> dict[str, Type]:
    """Of those of `names` that are plain tensors. Raises what onnxruntime raises."""
    shown = {port.name: port for port in _session(model, names, scratch).get_outputs()}
    symbols = {d for port in model.signature.inputs for d in port.shape or () if isinstance(d, str)}
    found = {name: _type(port, symbols) for name, port in shown.items()}
    return {name: one for name, one in found.items() if one.dtype in WIDTHS}


def _type(port: Any, symbols: set[str]) -> Type:
    kind = port.type.removeprefix("tensor(").removesuffix(")")
    # onnxruntime's "[]" is a scalar or an unknown rank.
    shape = tuple(d if isinstance(d, int) or d in symbols else None for d in port.shape or ())
    return Type(_NAMES.get(kind, kind), shape or None)


def bytes_of(types: Mapping[str, Type], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, float]:
    """Bytes of each value; `shapes` are those that were seen."""
    guessed = {
        name: tuple(d if isinstance(d, int) else _UNKNOWN for d in one.shape or ()) for name, one in types.items()
    }
    return {name: WIDTHS[one.dtype] * math.prod(shapes.get(name, guessed[name])) for name, one in types.items()}


def shapes_on(model: Model, names: Iterable[str], feeds: Feeds, scratch: str) -> dict[str, tuple[int, ...]]:
    """What shapes the values `names`, all of them tensors, have when the model runs on `feeds`.

    Only their Shape leaves the session, so that no activation lives longer than the model needs it. Raises what
    onnxruntime raises."""
    edit = Edit(model, scratch)
    edit.need("", 17)
    edit.graph.ClearField("output")
    wanted = list(names)
    for name in wanted:
        edit.graph.node.add(op_type="Shape", input=[name], output=[_SHAPE + name])
        edit.graph.output.add(name=_SHAPE + name)
    found = open_session(edit.close()).run(None, feeds)
    return {name: tuple(map(int, shape)) for name, shape in zip(wanted, found, strict=True)}


def _session(model: Model, names: Iterable[str], scratch: str) -> Any:
    edit = Edit(model, scratch)
    edit.graph.ClearField("output")
    for name in names:
        edit.graph.output.add(name=name)
    return open_session(edit.close())
