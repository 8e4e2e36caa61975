"""Static quantization with onnxruntime's calibrators and its QDQ writer, step by step.

Its `quantize_static` is not called: that runs all samples before it looks at the first, on all cores, so that memory
grows with the data and the last bits of the ranges with the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ..process.memory import is_out_of_memory
from .calibration import Feeds
from .verify.feeds import first_line

Method = Literal["minmax", "entropy", "percentile"]
_ONE_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Recipe:
    """`ops`: types of the nodes to quantize. `percentile`: of activations that lie inside the range."""

    ops: tuple[str, ...]
    method: Method
    percentile: float
    per_channel: bool
    signed_activations: bool


class SampleFails(Exception):
    """The message says which, and why."""


class _One:
    """What a calibrator reads from: one sample, then nothing."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds: Feeds | None = feeds

    def get_next(self) -> Feeds | None:
        feeds, self._feeds = self._feeds, None
        return feeds


def ranges(source: str, folder: str, recipe: Recipe, samples: Iterable[Feeds]) -> tuple[Any, int]:
    """onnxruntime's TensorsData of the model at `source`, and how many samples it was run on. Raises SampleFails."""
    from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator

    method = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }[recipe.method]
    augmented = os.path.join(folder, "augmented.onnx")
    extra: dict[str, Any] = {"symmetric": False}
    if recipe.method == "percentile":
        extra["percentile"] = recipe.percentile
    calibrator: Any = create_calibrator(
        source,
        list(recipe.ops),
        augmented_model_path=augmented,
        calibrate_method=method,
        use_external_data_format=os.path.getsize(source) > _ONE_GIB,
        extra_options=extra,
    )
    calibrator.infer_session = _on_one_core(augmented)
    count = 0
    for feeds in samples:
        count += 1
        try:
            calibrator.collect_data(_One(feeds))
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise SampleFails(f"the model fails on sample {count}: {first_line(error)}") from error
    return (calibrator.compute_data() if count else None), count


def _on_one_core(path: str) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def quantized(source: str, output: str, recipe: Recipe, found: Any) -> None:
    """Writes the model with QuantizeLinear and DequantizeLinear around its nodes to `output`."""
    from pathlib import Path

    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

    quantizer: Any = QDQQuantizer(
        load_model_with_shape_infer(Path(source)),
        recipe.per_channel,
        False,  # reduce_range: 7 bits, for processors that we do not ship to
        QuantType.QInt8,
        QuantType.QInt8 if recipe.signed_activations else QuantType.QUInt8,
        found,
        [],
        [],
        list(recipe.ops),
        {"MatMulConstBOnly": True},
    )
    quantizer.quantize_model()
    quantizer.model.save_model_to_file(output, os.path.getsize(source) > _ONE_GIB)
