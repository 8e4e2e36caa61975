"""The last dimension of a KV cache left open, for sessions that keep it in fewer bits than the graph says.

onnxruntime's WebGPU backend can (`ep.webgpuexecutionprovider.kvCacheQuantizationBits`): the graph stays, but past and
present have (head * bits + 32) / 32 elements of float32, or twice as many of float16, in place of `head`: a scale and
the packed values. A dimension that is a number would have such a past refused before any operator sees it.
"""

from __future__ import annotations

from typing import Literal

from ..graph.edit import Edit, keep
from ..graph.generation import Generation, width_in
from .base import Skip

_LEAST = 8
"""Values of a head, and a power of two: what the backend's kernels ask for."""


def leave_open(edit: Edit, generation: Generation, bits: Literal[4, 8]) -> None:
    """Renames the last dimension of past and present, in place. Raises Skip."""
    if not generation.in_place:
        raise Skip(
            "its attention is not GroupQueryAttention, the one operator whose cache a session can keep in few bits"
        )
    if generation.webgpu_bits or generation.dtype not in ("float32", "float16"):
        raise Skip("its KV cache is in few bits already")
    if generation.head < _LEAST or generation.head & (generation.head - 1):
        raise Skip(f"its heads have {generation.head} values: on WebGPU only powers of two from {_LEAST} can be packed")
    names = {name for pair in generation.cache for name in pair}
    for value in (*edit.graph.input, *edit.graph.output):
        if value.name in names:
            value.type.tensor_type.shape.dim[3].dim_param = width_in(bits)
    keep([value for value in edit.graph.value_info if value.name not in names], edit.graph, "value_info")
