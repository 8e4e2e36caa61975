"""What this processor's int8 kernels do."""

from __future__ import annotations

from functools import cache

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession


@cache
def saturates() -> bool:
    """Whether int8 products overflow: onnxruntime's kernels for AVX2 without VNNI add two of them in 16 bits."""
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "products",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [16, 2])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [16, 16])],
        [numpy_helper.from_array(np.full((2, 16), 127, np.int8), "w")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return bool(session.run(None, {"x": np.full((16, 2), 255, np.uint8)})[0][0, 0] != 2 * 255 * 127)
