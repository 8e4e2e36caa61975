"""From the names of a tensor and of the node that uses it to a path of layers. Pure.

Exporters name nodes "/encoder/layer.0/attention/query/MatMul" and tensors "encoder.layer.0.attention.query.bias" or
"onnx::MatMul_123": whichever tells more is taken.
"""

from __future__ import annotations

import re

_INDEX = re.compile(r"\d+")
_SUFFIX = re.compile(r"(_(quantized|scale|zero_point|fp16|quant|output|token)|_\d+)+$")
_DEPTH = 12


def layer_path(tensor: str, node: str, op: str) -> tuple[str, ...]:
    """Names of the layers that hold the tensor, outermost first; never empty."""
    by_node, by_tensor = _split(node), _split(tensor)[:-1]
    if by_node and _is_op(_SUFFIX.sub("", by_node[-1]), _bare(op)):
        by_node = by_node[:-1]
    best = by_node if len(by_node) >= len(by_tensor) else by_tensor
    return tuple(best[:_DEPTH]) or (_bare(op) or "unnamed",)


def _is_op(word: str, op: str) -> bool:
    """ "MatMul" for MatMul, and for the MatMulInteger that took its place."""
    return len(word) > 2 and bool(op) and (word.startswith(op) or op.startswith(word.partition(".")[0]))


def _bare(op: str) -> str:
    return op.rpartition("::")[2]


def _split(name: str) -> list[str]:
    """At slashes and dots; an index stays with what it counts: "layer.0"."""
    if "::" in name:  # "onnx::MatMul_123" says nothing
        return []
    found: list[str] = []
    for word in re.split(r"[/.]+", name):
        if found and _INDEX.fullmatch(word) and not _INDEX.fullmatch(found[-1]):
            found[-1] += f".{word}"
        elif word:
            found.append(word)
    return found
