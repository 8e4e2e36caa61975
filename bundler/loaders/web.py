"""What onnxruntime-web's wasm build can run: its kernels by operator, version of the schema and types.

`web_kernels.json` is made by `python -m fixtures.web_kernels`, which asks onnxruntime-web itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..graph.dtypes import DTYPES
from ..graph.model import Model
from ..graph.operators import find_schema, operator_name
from ..graph.visit import graphs


def lacking(model: Model) -> tuple[str, ...]:
    """Operators of `model` that onnxruntime-web has no kernel for, sorted: "Op" or "Op (float64)".

    Types are judged where they are known: of inputs, weights and declared values. Operators in the model's own
    functions and of domains that are the app's are not judged.
    """
    import onnx

    proto = onnx.load_model_from_string(model.skeleton)
    opsets = {entry.domain: entry.version for entry in proto.opset_import}
    known = _types(proto.graph)
    nodes = (node for graph in graphs(proto.graph) for node in graph.node)
    return tuple(sorted({fault for node in nodes if (fault := _fault(node, opsets, known))}))


def version() -> str:
    """The onnxruntime-web that was asked."""
    return str(_table()["version"])


@cache
def _table() -> Any:
    return json.loads(Path(__file__).with_name("web_kernels.json").read_bytes())


def _fault(node: Any, opsets: Mapping[str, int], types: Mapping[str, str]) -> str:
    if node.domain not in ("", "com.microsoft"):
        return ""
    name = operator_name(node.domain, node.op_type)
    schema = None if node.domain else find_schema("", node.op_type, opsets.get("", 1))
    since = "1" if node.domain else str(schema.since_version if schema else 0)
    kernel = _table()["kernels"].get(name, {}).get(since)
    if kernel is not None:
        wrong = next(_wrong_types(node, schema, kernel, types), "")
        return f"{name} ({wrong})" if wrong else ""
    return "" if schema is not None and schema.has_function else name


def _wrong_types(node: Any, schema: Any, kernel: Mapping[str, list[str]], types: Mapping[str, str]) -> Iterator[str]:
    """float16 is cast by the runtime where only float32 has a kernel."""
    formals = list(schema.inputs) if schema is not None else _contrib_inputs(node.op_type)
    for index, value in enumerate(node.input):
        if formals:
            formal = formals[min(index, len(formals) - 1)]
            variable = getattr(formal, "type_str", None) or formal.typeStr
            dtype = types.get(value, "")
            allowed = kernel.get(variable, [dtype])
            if dtype and dtype not in allowed and not (dtype == "float16" and "float32" in allowed):
                yield dtype


@cache
def _contrib_inputs(op_type: str) -> list[Any]:
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    schemas = runtime.get_all_operator_schema()
    found = (s.inputs for s in schemas if (s.domain, s.name) == ("com.microsoft", op_type))
    return list(next(found, []))


def _types(graph: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for inner in graphs(graph):
        found |= dict(_declared((*inner.input, *inner.value_info, *inner.output)))
        found |= {
            tensor.name: DTYPES[tensor.data_type].name for tensor in inner.initializer if tensor.data_type in DTYPES
        }
    return found


def _declared(values: Any) -> Iterator[tuple[str, str]]:
    for value in values:
        number = value.type.tensor_type.elem_type
        if number in DTYPES:
            yield value.name, DTYPES[number].name
