"""Cuts indices off axes: constants get shorter, and numbers that operators are told about sizes follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...graph.attributes import attribute
from ...graph.edit import keep
from ...graph.model import Model
from .elements import Array, Axis
from .survey import Survey

Masks = Mapping[Axis, Array]
Shapes = Mapping[str, tuple[int, ...]]


def cut(survey: Survey, masks: Masks, after: Shapes, fitted: Mapping[str, Array]) -> Model:
    """The model without what `masks` say. `after`: shapes then. `fitted`: constants, uncut, with other values.

    `survey` is used up."""
    constants = {name for name, _ in masks if name in survey.tensors} | set(fitted)
    for name in sorted(constants):
        _shorten(survey, name, masks, fitted.get(name))
    for node in survey.nodes:
        settle = _SETTLED.get(node.op_type)
        if settle is not None:
            settle(node, survey, after)
    graph = survey.edit.graph
    changed = {name for name, _ in masks}
    keep([value for value in graph.value_info if value.name not in changed], graph, "value_info")
    return survey.edit.close()


def _shorten(survey: Survey, name: str, masks: Masks, fitted: Array | None) -> None:
    before = survey.array(name)
    array = before if fitted is None else fitted.astype(before.dtype)
    for axis in range(array.ndim):
        if (name, axis) in masks:
            array = np.compress(~masks[name, axis], array, axis)
    tensor = survey.tensors[name]
    survey.edit.weights.pop(name, None)
    del tensor.dims[:]
    tensor.dims.extend(array.shape)
    survey.edit.payloads.put(tensor, np.ascontiguousarray(array).tobytes())


def _reshape(node: Any, survey: Survey, after: Shapes) -> None:
    """A size that is written down; 0 (as the input's) and -1 (the rest) follow by themselves."""
    out = node.output[0]
    if len(node.input) < 2 or out not in after or after[out] == survey.shapes[out]:
        return
    written = survey.integers(node.input[1])
    if written is None:
        _joined(node.input[1], out, survey, after)
        return
    wanted = [
        new if old != new and size > 0 else size
        for size, old, new in zip(written, survey.shapes[out], after[out], strict=True)
    ]
    if wanted != written:
        node.input[1] = survey.edit.put(f"{out}_shape", np.array(wanted, np.int64))


def _joined(name: str, out: str, survey: Survey, after: Shapes) -> None:
    """A shape that is put together of computed sizes and of written ones: those that are written follow."""
    join = next((node for node in survey.nodes if name in node.output and node.op_type == "Concat"), None)
    at = 0
    for index, piece in enumerate(join.input if join is not None else ()):
        sizes = _written(piece, survey)
        count = len(sizes) if sizes is not None else (survey.shapes[piece] or (1,))[0]
        old, new = survey.shapes[out][at : at + count], after[out][at : at + count]
        wanted = [b if a != b and size > 0 else size for size, a, b in zip(sizes or (), old, new, strict=False)]
        if join is not None and wanted != (sizes or []):
            join.input[index] = survey.edit.put(f"{out}_size", np.array(wanted, np.int64))
            survey.tensors[join.input[index]] = survey.edit.graph.initializer[-1]
        at += count


def _written(name: str, survey: Survey) -> list[int] | None:
    """The numbers of a constant that may have been cast or given an axis on its way; None: it is computed."""
    node = next((one for one in survey.nodes if name in one.output), None)
    if node is not None and node.op_type in ("Cast", "Identity", "Squeeze", "Unsqueeze"):
        return _written(node.input[0], survey)
    return survey.integers(name)


def _split(node: Any, survey: Survey, after: Shapes) -> None:
    axis = attribute(node, "axis", 0)
    sizes = [after[name][axis] for name in node.output if name]
    if len(sizes) < len(node.output) or sizes == [survey.shapes[name][axis] for name in node.output]:
        return
    _drop(node, "split", "num_outputs")
    if survey.opset < 13:
        _set(node, "split", sizes)
        return
    del node.input[1:]
    node.input.append(survey.edit.put(f"{node.output[0]}_split", np.array(sizes, np.int64)))


def _groups(node: Any, survey: Survey, after: Shapes) -> None:
    groups, value = attribute(node, "group", 1), node.input[0]
    if groups > 1 and value in after:
        _set(node, "group", groups * after[value][1] // survey.shapes[value][1])


def _heads(node: Any, survey: Survey, after: Shapes) -> None:
    out = node.output[0]
    if out in after and after[out] != survey.shapes[out]:
        _set(node, "num_heads", attribute(node, "num_heads", 1) * after[out][-1] // survey.shapes[out][-1])


def _drop(node: Any, *names: str) -> None:
    keep([one for one in node.attribute if one.name not in names], node, "attribute")


def _set(node: Any, name: str, value: Any) -> None:
    from onnx import helper

    _drop(node, name)
    node.attribute.append(helper.make_attribute(name, value))


_SETTLED: dict[str, Callable[[Any, Survey, Shapes], None]] = {
    "Conv": _groups,
    "ConvTranspose": _groups,
    "FusedConv": _groups,
    "MultiHeadAttention": _heads,
    "Reshape": _reshape,
    "Split": _split,
}
