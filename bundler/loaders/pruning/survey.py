"""A model laid open for cutting: its nodes, the shapes of all its values on one sample, and its constants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...graph.dtypes import STRING
from ...graph.edit import Edit
from ...graph.model import Model
from ...graph.session import open_session
from ...graph.tensors import tensor_bytes
from ...graph.visit import graphs, nodes, set_nodes, subgraphs
from .elements import Array

_AT_ONCE = 48
"""Values that one run hands out: all at once could be more than the memory holds."""
FLOATS = {1: np.float32, 10: np.float16}
"""TensorProto's numbers of types whose values importance is computed of."""
_WIDTHS = {16: np.uint16}
_PLAIN = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}


class Survey:
    """`shapes`: value -> shape, of constants too. `tensors`: name -> TensorProto of all constants of the main graph.

    Constant nodes become initializers first, so that a constant is found in one place only."""

    def __init__(self, model: Model, scratch: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.edit = Edit(model, scratch)
        _initialize(self.edit)
        self.nodes = list(self.edit.graph.node)
        self.opset = self.edit.opset()
        self.tensors = {tensor.name: tensor for tensor in self.edit.graph.initializer}
        self.uses = Counter(name for node in nodes(self.edit.graph) for name in node.input)
        self.uses.update(value.name for graph in graphs(self.edit.graph) for value in graph.output)
        self.shapes = {name: tuple(one.dims) for name, one in self.tensors.items()} | dict(shapes)

    def array(self, name: str) -> Array:
        """The values of a constant; types that numpy does not have as integers of their width."""
        tensor = self.tensors[name]
        from onnx import helper

        kind = _WIDTHS.get(tensor.data_type) or helper.tensor_dtype_to_np_dtype(tensor.data_type)
        return np.frombuffer(tensor_bytes(tensor, self.edit.payloads), kind).reshape(tuple(tensor.dims))

    def integers(self, name: str) -> list[int] | None:
        """The values of a constant of integers; None: it is computed."""
        return [int(value) for value in self.array(name).ravel()] if name in self.tensors else None


def observed(model: Model, feeds: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """The shapes that inputs and what nodes make have on one sample. Raises what onnxruntime raises."""
    import onnx

    graph = onnx.load_model_from_string(model.skeleton).graph
    names = [name for node in graph.node for name in node.output if name]
    found = {name: np.shape(array) for name, array in feeds.items()}
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        values = open_session(handing_out(model, part)).run(part, dict(feeds))
        found |= {n: value.shape for n, value in zip(part, values, strict=True) if isinstance(value, np.ndarray)}
    return found


def handing_out(model: Model, names: list[str]) -> Model:
    """The model with `names` as further outputs; onnxruntime finds out their types by itself."""
    import onnx

    proto = onnx.load_model_from_string(model.skeleton)
    there = {value.name for value in proto.graph.output}
    for name in names:
        if name not in there:
            proto.graph.output.add(name=name)
    return replace(model, skeleton=proto.SerializeToString(deterministic=True))


def captured(node: Any) -> set[str]:
    """Names that the graphs inside a node read."""
    inside = [one for graph in subgraphs(node) for one in graphs(graph)]
    return {name for graph in inside for one in graph.node for name in one.input} | {
        value.name for graph in inside for value in graph.output
    }


def _initialize(edit: Edit) -> None:
    """Constant nodes as initializers of the same names."""
    kept = []
    for node in edit.graph.node:
        tensor = _constant(node) if node.op_type == "Constant" and not node.domain else None
        if tensor is None:
            kept.append(node)
            continue
        edit.graph.initializer.add().CopyFrom(tensor)
        edit.graph.initializer[-1].name = node.output[0]
    set_nodes(edit.graph, kept)


def _constant(node: Any) -> Any:
    from onnx import helper, numpy_helper

    given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if "value" in given:
        return given["value"] if given["value"].data_type != STRING else None
    for name, kind in _PLAIN.items():
        if name in given:
            return numpy_helper.from_array(np.array(given[name], kind))
    return None
