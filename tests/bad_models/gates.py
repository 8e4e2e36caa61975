"""Bad models: what only a gate sees."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from fixtures import models as good

from .table import add_node, edited

edited(
    "gate-stride-zero",
    "MB261",
    lambda m: m.graph.node[0].attribute.add(name="strides", type=7, ints=[0, 0]),
    good.conv_net,
)
edited(
    "gate-shapes-do-not-fit",
    "MB263",
    lambda m: m.graph.initializer[0].CopyFrom(good.tensor("w", good.noise(0, 31, 32))),
)
edited(
    "gate-types-do-not-fit",
    "MB263",
    lambda m: m.graph.initializer[0].CopyFrom(good.tensor("w", good.noise(0, 32, 32).astype(np.float64))),
)
edited("gate-too-many-inputs", "MB260", lambda m: m.graph.node[1].input.extend(["x", "w"]))
edited(
    "gate-attribute-of-wrong-type",
    "MB260",
    lambda m: m.graph.node.append(helper.make_node("Softmax", ["m"], ["s"], axis="one")),
)
edited(
    "gate-unknown-attribute", "MB260", lambda m: m.graph.node.append(helper.make_node("Softmax", ["m"], ["s"], speed=9))
)
edited("gate-required-attribute-missing", "MB260", add_node("Cast", ["m"], ["c"]))
edited("gate-no-kernel", "MB262", lambda m: None, lambda: _complex())


def _complex() -> ModelProto:
    """Identity takes complex numbers by its schema; no runtime has such tensors."""
    nodes = [helper.make_node("Identity", ["x"], ["y"], name="copy")]
    return good.make(nodes, [good.port("x", [2], TensorProto.COMPLEX64)], [good.port("y", [2], TensorProto.COMPLEX64)])
