"""Brings a model's IR version and opset into what onnxruntime-web takes, or says why that cannot be.

Lowering a number is only honest when nothing newer is used. Where no operator changed between the two opsets,
the number is all that changes; otherwise onnx's version converter rewrites the nodes. It never sees a
weight: big initializers are graph inputs while it works.
"""

from __future__ import annotations

from typing import Any

from .dtypes import DTYPES
from .faults import Faults, quote
from .functions import inline_functions
from .operators import find_schema
from .opsets import opset_table
from .payloads import EXTERNAL
from .visit import bodies, graphs, nodes, tensors

MIN_OPSET = 7
"""The oldest operator set that onnxruntime promises to run."""
_FUNCTIONS_IR, _OVERLOAD_IR, _DEVICES_IR = 8, 10, 11


def convert(model: Any, max_opset: int, max_ir: int, faults: Faults, notes: list[str]) -> Any:
    """The ModelProto with opset and IR version in range; what stands in the way goes to `faults`."""
    opset = opset_table(model.opset_import).get("", MIN_OPSET)
    target = min(max(opset, MIN_OPSET), max_opset)
    if target != opset:
        model = _to_opset(model, opset, target, faults, notes)
    _to_ir(model, max_ir, faults, notes)
    return model


def _to_ir(model: Any, max_ir: int, faults: Faults, notes: list[str]) -> None:
    needed, because = needed_ir(model)
    if needed > max_ir:
        faults.add("MB214", f"it needs IR version {needed} because {because}, and the target takes {max_ir}")
        return
    if model.ir_version > max_ir:
        notes.append(f"lowered the IR version from {model.ir_version} to {max_ir}; nothing newer is used")
    model.ir_version = max(needed, min(model.ir_version, max_ir))
    if model.ir_version < _DEVICES_IR:
        _forget_devices(model)


def _forget_devices(model: Any) -> None:
    """Takes out hints for many-device execution, which came with IR 11 and mean nothing in a browser."""
    model.ClearField("configuration")
    for body in bodies(model):
        for node in nodes(body):
            node.ClearField("device_configurations")


def needed_ir(model: Any) -> tuple[int, str]:
    """The lowest IR version that has everything the model uses, and what asks for it."""
    found = [(4, "its initializers are not inputs")]
    if model.functions:
        found.append((_FUNCTIONS_IR, "it has functions"))
    if any(function.overload for function in model.functions):
        found.append((_OVERLOAD_IR, "it has overloaded functions"))
    for number in _types(model):
        if number in DTYPES:
            found.append((DTYPES[number].ir, f"it uses the type {DTYPES[number].name}"))
    return max(found)


def _types(model: Any) -> set[int]:
    found = {site.tensor.data_type for site in tensors(model)}
    for outer in bodies(model):
        for body in graphs(outer):
            ports = [*body.input, *body.output] if hasattr(body, "initializer") else []
            found |= {value.type.tensor_type.elem_type for value in (*ports, *body.value_info)}
    return found


def _to_opset(model: Any, opset: int, target: int, faults: Faults, notes: list[str]) -> Any:
    if _same_operators(model, opset, target):
        _relabel(model, target)
        notes.append(f"relabelled opset {opset} as {target}; no operator that it uses differs")
        return model
    try:
        converted = _rewrite(model, target)
    except Exception as error:  # the converter raises bare RuntimeErrors, and whatever its bindings raise
        faults.add("MB217", f"its opset {opset} cannot be converted to {target}: {_why(error)}")
        return model
    notes.append(f"converted opset {opset} to {target}")
    return converted


def reach_opset(model: Any, least: int) -> Any | None:
    """The ModelProto in operator set `least` where its own is older; None when that cannot be."""
    opset = opset_table(model.opset_import).get("", MIN_OPSET)
    if opset >= least:
        return model
    faults = Faults("the model")
    converted = _to_opset(model, opset, least, faults, [])
    return None if faults.problems else converted


def _same_operators(model: Any, opset: int, target: int) -> bool:
    """Whether every standard operator in the model is the same in both opsets."""
    holders = (model.graph, *model.functions)
    if any(opset_table(function.opset_import).get("", opset) != opset for function in model.functions):
        return False
    used = {node.op_type for holder in holders for node in nodes(holder) if not node.domain}
    return all(_since(name, opset) == _since(name, target) for name in used)


def _since(name: str, opset: int) -> int:
    schema = find_schema("", name, opset)
    return 0 if schema is None or schema.deprecated else int(schema.since_version)


def _relabel(model: Any, target: int) -> None:
    for holder in (model, *model.functions):
        for entry in holder.opset_import:
            if not entry.domain:
                entry.version = target


def _rewrite(model: Any, target: int) -> Any:
    import onnx.version_converter

    if model.functions:
        model = inline_functions(model, [(function.domain, function.name) for function in model.functions])
    weights = [tensor for tensor in model.graph.initializer if tensor.data_location == EXTERNAL]
    listed = {value.name for value in model.graph.input}
    stand_ins = [_stand_in(model, tensor) for tensor in weights if tensor.name not in listed]
    bare = _without_weights(model, stand_ins)
    converted = onnx.version_converter.convert_version(bare, target)
    return _with_weights(converted, weights, {value.name for value in stand_ins})


def _stand_in(model: Any, tensor: Any) -> Any:
    """A graph input of the type of `tensor`."""
    value = type(model.graph)().input.add(name=tensor.name)
    value.type.tensor_type.elem_type = tensor.data_type
    value.type.tensor_type.shape.SetInParent()
    for size in tensor.dims:
        value.type.tensor_type.shape.dim.add(dim_value=size)
    return value


def _without_weights(model: Any, stand_ins: list[Any]) -> Any:
    bare = type(model)()
    bare.CopyFrom(model)
    small = [tensor for tensor in model.graph.initializer if tensor.data_location != EXTERNAL]
    bare.graph.ClearField("initializer")
    bare.graph.initializer.extend(small)
    bare.graph.input.extend(stand_ins)
    return bare


def _with_weights(converted: Any, weights: list[Any], stand_ins: set[str]) -> Any:
    ports = [value for value in converted.graph.input if value.name not in stand_ins]
    holder = type(converted.graph)()
    holder.input.extend(ports)
    holder.initializer.extend([*weights, *converted.graph.initializer])
    for name in ("input", "initializer"):
        converted.graph.ClearField(name)
        getattr(converted.graph, name).MergeFrom(getattr(holder, name))
    return converted


def _why(error: Exception) -> str:
    """The converter's reason without its source location."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return quote(text.rsplit("failed: ", 1)[-1])[1:-1]
