"""Nodes read and made."""

from __future__ import annotations

from typing import Any

from ..graph.attributes import attribute


def right_factor(node: Any) -> bool | None:
    """Whether a plain product takes its second input transposed; None when it is no plain product."""
    if node.op_type == "MatMul":
        return False
    scaled = attribute(node, "alpha", 1.0) != 1.0
    if node.op_type == "Gemm":
        scaled = scaled or (len(node.input) > 2 and attribute(node, "beta", 1.0) != 1.0)
    elif node.op_type != "FusedMatMul" or attribute(node, "transBatchA", 0) or attribute(node, "transBatchB", 0):
        return None
    return None if scaled or attribute(node, "transA", 0) else bool(attribute(node, "transB", 0))


def make_node(op: str, inputs: list[str], output: str, name: str = "", domain: str = "", **attributes: Any) -> Any:
    """A NodeProto with one output."""
    from onnx import helper

    return helper.make_node(op, inputs, [output], name=name, domain=domain, **attributes)
