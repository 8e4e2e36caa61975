"""Brings a checked model into the one form that the rest of mbundle knows. Nothing here changes what it computes.

Afterwards: no sparse tensors, no training part, no trailing empty inputs (LayerNormalization with one crashes
onnxruntime), no sizes below zero, no imports that nothing uses, and every big tensor is an initializer of
the main graph, where ONNX allows that.
"""

from __future__ import annotations

from typing import Any

from .faults import Faults, describe, quote
from .functions import call_key, function_key, holding_payloads, inline_functions
from .lift import lift, set_constant, unfold_constant
from .operators import find_schema, runtime_schemas
from .opsets import opset_table, tidy_imports
from .payloads import Payloads
from .signature import forget_negative_sizes
from .sparse import densify
from .tensors import TensorFault, tensor_bytes
from .visit import bodies, graphs, nodes

FIRST_FREE_IR = 4
"""Before IR 4, each initializer had to be listed as an input too, which made every weight overridable."""


def normalise(model: Any, payloads: Payloads, faults: Faults, notes: list[str]) -> Any:
    """The normalised ModelProto: `model` itself changed, or a new one where functions had to be inlined."""
    if model.training_info:
        model.ClearField("training_info")
        notes.append("left out the training part of the model")
    _densify_all(model, payloads, faults)
    model = _open_functions(model, payloads, faults, notes)
    _each_node(model, payloads)
    _name_graphs(model.graph)
    _free_initializers(model)
    forget_negative_sizes(model)
    tidy_imports(model)
    lift(model, payloads)
    return model


def _open_functions(model: Any, payloads: Payloads, faults: Faults, notes: list[str]) -> Any:
    """Inlines the functions that hold big tensors: a function cannot refer to the main graph's initializers."""
    which = holding_payloads(model, payloads)
    if not which:
        return model
    try:
        inlined = inline_functions(model, which)
    except Exception as error:  # the bindings raise bare RuntimeErrors
        faults.add("MB242", f"function {quote(which[0][1])} holds weights, and cannot be inlined: {quote(error)}")
        return model
    notes.append(f"inlined {len(which)} function{'s' * (len(which) > 1)} that hold weights, {quote(which[0][1])} first")
    return inlined


def _name_graphs(main: Any) -> None:
    """The specification asks for a name, runtimes do not, and nothing refers to it."""
    for graph in graphs(main):
        if not graph.name or not isinstance(graph.name, str):
            graph.name = "graph"


def _each_node(model: Any, payloads: Payloads) -> None:
    local = {function_key(function) for function in model.functions}
    main = opset_table(model.opset_import)
    for body in (model.graph, *model.functions):
        opsets = opset_table(getattr(body, "opset_import", ())) or main
        for node in nodes(body):
            _drop_trailing(node, 0 if call_key(node) in local else _fewest_inputs(node, opsets))
            unfold_constant(node, payloads)


def _drop_trailing(node: Any, fewest: int) -> None:
    while len(node.input) > fewest and not node.input[-1]:
        node.input.pop()


def _fewest_inputs(node: Any, opsets: dict[str, int]) -> int:
    """How many inputs must stay. An operator that we do not know keeps all."""
    if not node.input or node.input[-1]:
        return 0
    schema = find_schema(node.domain, node.op_type, opsets.get(node.domain, 1))
    if schema is not None:
        return int(schema.min_input)
    return runtime_schemas().get((node.domain, node.op_type), len(node.input))


def _free_initializers(model: Any) -> None:
    if model.ir_version >= FIRST_FREE_IR:
        return
    model.ir_version = FIRST_FREE_IR
    for graph in graphs(model.graph):
        names = {tensor.name for tensor in graph.initializer}
        kept = [value for value in graph.input if value.name not in names]
        holder = type(graph)()
        holder.input.extend(kept)
        graph.ClearField("input")
        graph.input.MergeFrom(holder.input)


def _densify_all(model: Any, payloads: Payloads, faults: Faults) -> None:
    for outer in bodies(model):
        for body in graphs(outer):
            for sparse in getattr(body, "sparse_initializer", ()):
                dense = _dense(sparse, payloads, faults, f"sparse initializer {quote(sparse.values.name)}")
                if dense is not None:
                    body.initializer.append(dense)
            if hasattr(body, "sparse_initializer"):
                body.ClearField("sparse_initializer")
        for node in nodes(outer):
            _densify_constant(node, payloads, faults)


def _densify_constant(node: Any, payloads: Payloads, faults: Faults) -> None:
    for attribute in node.attribute:
        if attribute.HasField("sparse_tensor") and node.op_type == "Constant" and not node.domain:
            dense = _dense(attribute.sparse_tensor, payloads, faults, describe(node))
            if dense is not None:
                set_constant(node, dense.data_type, tuple(dense.dims), tensor_bytes(dense, payloads), payloads)
            return


def _dense(sparse: Any, payloads: Payloads, faults: Faults, where: str) -> Any:
    try:
        return densify(sparse, payloads)
    except TensorFault as fault:
        faults.add(fault.code, f"{where}: {fault.what}", fault.fix)
        return None
