"""Scales of caches that an operator keeps in 8 or 4 bits (`loaders.grouped`), read off the graph that has them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ...graph.generation import is_cache
from ...graph.inplace import ATTENTION, PAST, PRESENT, SCALE
from ...graph.model import Model, Port
from ...graph.payloads import read_region
from .feeds import Array

Scales = dict[str, Array]
"""Name of a past or a present -> float32 [1, heads, 1, head], or one number for all."""


def may_have(inputs: Iterable[Port]) -> bool:
    """Whether a graph with these inputs is worth parsing for scales: nearly all have none."""
    return any(is_cache(port.name) and port.dtype in ("int8", "uint8") for port in inputs)


def of_model(model: Model) -> Scales:
    """{} for a model without such a cache."""
    if not may_have(model.signature.inputs):
        return {}
    import onnx
    from onnx import numpy_helper

    regions = {weight.name: weight.region for weight in model.weights}

    def read(tensor: Any) -> Array:
        if tensor.name in regions:
            return np.frombuffer(read_region(regions[tensor.name]), np.float32).reshape(tuple(tensor.dims))
        return np.asarray(numpy_helper.to_array(tensor))

    return dict(_found(onnx.load_model_from_string(model.skeleton).graph, read))


def of_file(path: str) -> Scales:
    """The same of an .onnx file, whose external data lies beside it."""
    import onnx
    from onnx import numpy_helper

    folder = os.path.dirname(path)
    graph = onnx.load(path, load_external_data=False).graph
    return dict(_found(graph, lambda tensor: np.asarray(numpy_helper.to_array(tensor, folder))))


def _found(graph: Any, read: Callable[[Any], Array]) -> Iterator[tuple[str, Array]]:
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if (node.domain, node.op_type) != ATTENTION or len(node.input) <= SCALE[-1]:
            continue
        for past, present, scale in zip(PAST, PRESENT, SCALE, strict=True):
            if node.input[scale] in tensors:
                array = read(tensors[node.input[scale]])
                yield node.input[past], array
                yield node.output[present], array
