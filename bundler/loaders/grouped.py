"""The rewrite of kv_cache where attention is GroupQueryAttention: the operator keeps the cache in 8 or 4 bits itself.

Its contract (com.microsoft, onnxruntime 1.32 and onnxruntime-web 1.30): `k_quant_type`, `v_quant_type` and
`kv_cache_bit_width` as attributes, `k_scale` and `v_scale` as inputs 12 and 13, float32 [1, heads, 1, head]; past and
present int8 [batch, heads, tokens, head], or uint8 [batch, heads, tokens, head / 2] with two values a byte.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..graph.attributes import attribute
from ..graph.dtypes import NUMBERS
from ..graph.edit import Edit, keep
from ..graph.generation import Generation
from ..graph.inplace import ATTENTION, PAST, SCALE
from .base import Skip
from .peaks import Peaks

_TOP = {8: 115, 4: 7}
"""What the largest value that calibration has seen becomes: 8 bits have room for larger ones, 4 have none to spare."""
_FAINTEST = 2.0**-10
"""A channel that calibration has seen no more of than that part of the largest is given this much room."""
Bits = Literal[8, 4]


def quantize(edit: Edit, generation: Generation, bits: Bits, found: Peaks) -> None:
    """Gives the cache of every GroupQueryAttention that many bits, in place. Raises Skip."""
    if generation.head * bits % 8:
        raise Skip(f"its heads have {generation.head} values, of which no whole number of bytes holds {bits} bits each")
    for node in edit.graph.node:
        if (node.domain, node.op_type) == ATTENTION:
            _quantize(edit, node, bits, found)
    _retype(edit.graph, {name for pair in generation.cache for name in pair}, bits)


def _quantize(edit: Edit, node: Any, bits: Bits, found: Peaks) -> None:
    from onnx import helper

    if attribute(node, "k_quant_type", b"NONE") != b"NONE":
        raise Skip("its GroupQueryAttention is quantized already")
    inputs = [*node.input, *[""] * (SCALE[-1] + 1 - len(node.input))]
    if not found.keys() >= {inputs[past] for past in PAST}:
        raise Skip("one of its GroupQueryAttention has a past that is no input")
    for past, scale in zip(PAST, SCALE, strict=True):
        top = np.maximum(found[inputs[past]], found[inputs[past]].max() * _FAINTEST) / _TOP[bits]
        inputs[scale] = edit.put(f"{inputs[past]}_scale", np.where(top > 0, top, 1).astype(np.float32))
    node.input[:] = inputs
    kept = [one for one in node.attribute if one.name not in ("k_quant_type", "v_quant_type", "kv_cache_bit_width")]
    node.ClearField("attribute")
    node.attribute.extend(kept)
    node.attribute.extend(helper.make_attribute(f"{kind}_quant_type", "PER_CHANNEL") for kind in "kv")
    node.attribute.append(helper.make_attribute("kv_cache_bit_width", bits))


def _retype(graph: Any, names: set[str], bits: Bits) -> None:
    for value in (*graph.input, *graph.output):
        if value.name in names:
            tensor = value.type.tensor_type
            tensor.elem_type = NUMBERS["int8" if bits == 8 else "uint8"]
            tensor.shape.dim[3].dim_value = tensor.shape.dim[3].dim_value * bits // 8
    keep([value for value in graph.value_info if value.name not in names], graph, "value_info")
