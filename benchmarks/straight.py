"""The yardstick of the library-bound build: what one would write by hand, in one process.

`python -m benchmarks.straight <model.onnx> <out.onnx>`: simplify, check, open sessions, compare, save. It calls the
libraries as mbundle does: the same functions, as many sessions, with the same options, as many runs on inputs of the
same sizes.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxsim

BATCHES = (1, 1, 1, 2)
"""A first run that tells whether the sizes suit the model, then three samples, the last one of another batch."""


def main(source: str, target: str) -> None:
    model = onnx.load(source)
    onnx.checker.check_model(source)
    reference = session(source)
    expected = [reference.run(None, inputs(reference, batch, index)) for index, batch in enumerate(BATCHES)]
    del reference
    simplified, _ = onnxsim.simplify(model)
    del model
    onnx.save(simplified, target)
    del simplified
    onnx.checker.check_model(target)
    result = session(target)
    for index, batch in enumerate(BATCHES[1:], 1):
        for before, after in zip(expected[index], result.run(None, inputs(result, batch, index)), strict=True):
            assert np.allclose(before, after, atol=1e-4)


def session(path: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def inputs(opened: Any, batch: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    shapes = {port.name: [batch, *port.shape[1:]] for port in opened.get_inputs()}
    return {name: random.integers(0, 2, shape) for name, shape in shapes.items()}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
