"""quantize_static: weights and activations to 8-bit integers, with ranges measured on samples."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from ..catalogue import problem
from ..config.options import Data, Range
from ..errors import MbundleError, StepError, printable
from ..graph.model import Model
from ..graph.write import MAX_INLINE
from .base import Context, Skip

_WITH_WEIGHTS = ("Conv", "ConvTranspose", "Gather", "Gemm", "MatMul")
"""Where the bytes and the time are. More ops quantized is more accuracy lost for no byte less."""
_QUANTIZED = "Quant|QLinear|QGemm|QAttention|Integer|NBits"
_CHANNEL_OPSET = 13
"""The first opset whose DequantizeLinear takes a scale a channel."""
_RAISED_TO = 17


@dataclass(frozen=True, slots=True)
class QuantizeStatic:
    """Like image compression with a palette: ranges are fixed beforehand, so that the page computes in 8 bits without
    measuring each activation. The fastest 8-bit form for convolutions."""

    name: ClassVar[str] = "quantize_static"
    version: ClassVar[str] = "1"
    tools: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx", "numpy")
    max_error: ClassVar[float] = float("inf")
    min_cosine: ClassVar[float] = 0.8
    warn_cosine: ClassVar[float] = 0.99

    calibration: Annotated[str | os.PathLike[str] | tuple[str, ...] | Callable[[], Any], Data((".npz", ".npy"))]
    """Real inputs: an .npz (input name -> array, or a stack of arrays), a folder of .npz or .npy files, or a function
    that returns or yields such mappings."""
    method: Literal["minmax", "entropy", "percentile"] = "minmax"
    """How ranges come from what was seen: all of it, what loses least information, or all but the outliers."""
    percentile: Annotated[float, Range(50, 100)] = 99.999
    per_channel: bool = True
    """One scale a channel of a weight instead of one a tensor: closer, slightly bigger."""
    ops: tuple[str, ...] = ()
    """Op types to quantize; empty: those with weights (Conv, ConvTranspose, Gather, Gemm, MatMul)."""
    activations: Literal["uint8", "int8"] = "uint8"
    samples: Annotated[int, Range(1, 100_000)] = 128
    """At most so many are used, from the first."""

    def reads(self) -> tuple[str, ...]:
        from ..config.options import FUNCTION

        return () if self.calibration == FUNCTION or not isinstance(self.calibration, tuple) else self.calibration

    def apply(self, model: Model, context: Context) -> Model:
        """Raises StepError (MB314) when the samples do not fit the model."""
        self._refuse(model)
        from ..graph.read import read_result
        from .skeleton import without_additions

        folder = os.path.join(context.scratch, "static")
        os.mkdir(folder)
        output = os.path.join(folder, "quantized.onnx")
        self._write(_source(model, folder), output, model, context)
        result = read_result(output, folder, max_opset=context.target_opset, max_ir=context.target_ir)
        if "QuantizeLinear" not in dict(result.ops):
            raise Skip("none of its weights can be quantized: they are inside branches, or not constant")
        return without_additions(result, model)

    def _refuse(self, model: Model) -> None:
        ops = dict(model.ops)
        done = next((op for op in ops if re.search(_QUANTIZED, op)), "")
        if done:
            raise Skip(f"it is quantized already ({done.rpartition(':')[2]})")
        wanted = self.ops or _WITH_WEIGHTS
        if not any(op in wanted for op in ops):
            fused = [op for op in ops if op.partition("Fused")[2] in wanted]
            hint = f"; put it before fuse(), which has made {fused[0].rpartition(':')[2]}" if fused else ""
            raise Skip(f"it has none of {', '.join(wanted)}{hint}")

    def _write(self, source: str, output: str, model: Model, context: Context) -> None:
        from ..process.memory import is_out_of_memory
        from . import calibration, qdq

        assert not isinstance(self.calibration, str | os.PathLike)
        per_channel, activations = self.per_channel, self.activations == "int8"
        recipe = qdq.Recipe(self.ops or _WITH_WEIGHTS, self.method, self.percentile, per_channel, activations)
        samples = calibration.samples(self.calibration, model.signature, context, self.samples)
        try:
            found, count = qdq.ranges(source, os.path.dirname(output), recipe, samples)
            if count:
                qdq.quantized(source, output, recipe, found)
        except MbundleError:
            raise
        except qdq.SampleFails as error:
            raise _unfit(str(error), context) from error
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise Skip(f"onnxruntime's quantizer refuses it: {printable(str(error).partition(chr(10))[0])}") from error
        if not count:
            raise _unfit("there is no sample in the calibration data", context)
        context.log(f"calibrated on {count} sample{'s' * (count > 1)}")


def _unfit(what: str, context: Context) -> StepError:
    return StepError(problem("MB314", what, entry=context.entry, step=QuantizeStatic.name))


def _source(model: Model, folder: str) -> str:
    """A file of the quantizer's own: at an opset that has a scale a channel, and with every constant as an initializer,
    because the quantizer looks for weights and biases nowhere else."""
    import onnx

    from ..graph.write import private_copy

    proto = onnx.load(private_copy(model, folder))
    if dict(model.opsets).get("", 1) < _CHANNEL_OPSET:
        proto = _raised(proto)
    constants = [node for node in proto.graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]
    for node in constants:
        proto.graph.initializer.add().CopyFrom(node.attribute[0].t)
        proto.graph.initializer[-1].name = node.output[0]
        proto.graph.node.remove(node)
    path = os.path.join(folder, "source.onnx")
    onnx.save(proto, path, save_as_external_data=model.nbytes > MAX_INLINE, location="source.data")
    return path


def _raised(proto: Any) -> Any:
    from onnx import version_converter

    try:
        return version_converter.convert_version(proto, _RAISED_TO)
    except Exception as error:
        reason = printable(str(error).strip().partition("\n")[0])
        raise Skip(f"onnx cannot raise its opset to {_RAISED_TO}: {reason}") from error
