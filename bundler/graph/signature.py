"""Inputs and outputs: checked, and as the `Signature` that the manifest and the generated types are made of."""

from __future__ import annotations

from typing import Any

from .dtypes import DTYPES
from .faults import Faults, quote
from .inplace import in_place
from .model import Port, Signature
from .tensors import TensorFault, known_dtype
from .visit import bodies, graphs


def check_ports(model: Any, faults: Faults) -> None:
    """Notes inputs and outputs of the main graph that a page cannot use, and unknown types anywhere."""
    for kind, values in (("input", model.graph.input), ("output", model.graph.output)):
        for value in values:
            if not _is_typed(value.type):
                faults.add("MB240", f"{kind} {quote(value.name)} has no type")
            elif value.type.WhichOneof("value") != "tensor_type":
                faults.add("MB243", f"{kind} {quote(value.name)} is a {_type_name(value.type)}")
    for outer in bodies(model):
        for body in graphs(outer):
            for value in _values(body):
                _check_type(value, faults)


def _is_typed(proto: Any) -> bool:
    kind = proto.WhichOneof("value")
    return kind is not None and (kind != "tensor_type" or proto.tensor_type.elem_type != 0)


def _values(body: Any) -> list[Any]:
    ports = [*body.input, *body.output] if hasattr(body, "initializer") else []
    return [*ports, *body.value_info]


def _check_type(value: Any, faults: Faults) -> None:
    if not value.HasField("type") or value.type.WhichOneof("value") != "tensor_type":
        return
    number = value.type.tensor_type.elem_type
    try:
        if number:
            known_dtype(number)
    except TensorFault as fault:
        faults.add(fault.code, f"value {quote(value.name)}: {fault.what}")


def forget_negative_sizes(model: Any) -> None:
    """Clears dimensions below zero of inputs, outputs and value_info: old exporters write -1 for "unknown"."""
    for outer in bodies(model):
        for body in graphs(outer):
            for value in _values(body):
                for dim in value.type.tensor_type.shape.dim if value.type.HasField("tensor_type") else ():
                    if dim.dim_value < 0:
                        dim.ClearField("dim_value")


def signature_of(graph: Any) -> Signature:
    """The main graph's inputs that a caller must give (not its initializers), and its outputs, in order."""
    given = {tensor.name for tensor in graph.initializer}
    inputs = tuple(_port(value) for value in graph.input if value.name not in given)
    return Signature(inputs, tuple(_port(value) for value in graph.output), in_place(graph))


def _port(value: Any) -> Port:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return Port(value.name, _type_name(value.type), None)
    tensor = value.type.tensor_type
    shape = tuple(_dim(dim) for dim in tensor.shape.dim) if tensor.HasField("shape") else None
    return Port(value.name, _type_name(value.type), shape)


_UNNAMED = ("", "?")
"""What exporters write where they know no name; PaddlePaddle gives two sizes that differ the same "?"."""


def _dim(dim: Any) -> int | str | None:
    kind = dim.WhichOneof("value")
    if kind == "dim_value":
        return int(dim.dim_value)
    name = dim.dim_param if kind == "dim_param" else ""
    return name if isinstance(name, str) and name not in _UNNAMED else None


def _type_name(proto: Any) -> str:
    """ "float32", "sequence(float32)", "optional(…)", "map(int64, float32)"; "" when the file does not say."""
    kind = proto.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        dtype = DTYPES.get(getattr(proto, kind).elem_type)
        return dtype.name if dtype else ""
    if kind in ("sequence_type", "optional_type"):
        return f"{kind.removesuffix('_type')}({_type_name(getattr(proto, kind).elem_type)})"
    if kind == "map_type":
        key = DTYPES.get(proto.map_type.key_type)
        return f"map({key.name if key else ''}, {_type_name(proto.map_type.value_type)})"
    return ""
