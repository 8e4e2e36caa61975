"""Weights by the name of the module that has them.

optimum's exports number what torch has turned, "onnx::MatMul_740", and each version of torch counts otherwise. A config
that names weights (`quantize_weights(tensors=[…])`, what `mbundle build --write` puts there) is to outlive that.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any

from .join import rename

_NUMBERED = re.compile(r"onnx::(?:MatMul|Gemm)_\d+")


def name_weights(path: str) -> None:
    """In the file: "encoder.layer.0.attention.self.query.weight", as in the checkpoint."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    rename(model.graph, _names(model.graph))
    onnx.save(model, path)


def _names(graph: Any) -> dict[str, str]:
    """Of matrices that one node uses; the name of that is the way to its module. Where two would be called alike both
    keep their numbers."""
    users = defaultdict[str, list[str]](list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node.name)
    numbered = (one.name for one in graph.initializer if len(one.dims) > 1 and _NUMBERED.fullmatch(one.name))
    found = {name: _weight_of(*users[name]) for name in numbered if len(users[name]) == 1}
    counts = Counter([*found.values(), *(one.name for one in graph.initializer)])
    return {name: new for name, new in found.items() if new and counts[new] == 1}


def _weight_of(node: str) -> str:
    """ "/encoder/layer.0/output/dense/MatMul" -> "encoder.layer.0.output.dense.weight"; "" for a node outside."""
    modules = node.split("/")[1:-1]
    return ".".join([*modules, "weight"]) if modules else ""
