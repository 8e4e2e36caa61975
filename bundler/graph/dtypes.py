"""ONNX's tensor element types as data: names, widths, where typed values are stored, what a browser can run.

Numbers are those of TensorProto.DataType; kept here so that nothing need import onnx to know the size of a tensor.
"""

from __future__ import annotations

import math
from typing import NamedTuple

STRING = 8


class Dtype(NamedTuple):
    """`bits`: of one element, packed in raw_data (0 for strings). `field`: the TensorProto field for typed values."""

    name: str
    bits: int
    field: str
    ir: int = 3
    """First IR version that has the type."""
    web: bool = True
    """onnxruntime-web has kernels for it, if only to cast from it."""


DTYPES: dict[int, Dtype] = {
    1: Dtype("float32", 32, "float_data"),
    2: Dtype("uint8", 8, "int32_data"),
    3: Dtype("int8", 8, "int32_data"),
    4: Dtype("uint16", 16, "int32_data"),
    5: Dtype("int16", 16, "int32_data"),
    6: Dtype("int32", 32, "int32_data"),
    7: Dtype("int64", 64, "int64_data"),
    STRING: Dtype("string", 0, "string_data"),
    9: Dtype("bool", 8, "int32_data"),
    10: Dtype("float16", 16, "int32_data"),
    11: Dtype("float64", 64, "double_data"),
    12: Dtype("uint32", 32, "uint64_data"),
    13: Dtype("uint64", 64, "uint64_data"),
    14: Dtype("complex64", 64, "float_data"),
    15: Dtype("complex128", 128, "double_data"),
    16: Dtype("bfloat16", 16, "int32_data", ir=4),
    17: Dtype("float8e4m3fn", 8, "int32_data", ir=9),
    18: Dtype("float8e4m3fnuz", 8, "int32_data", ir=9),
    19: Dtype("float8e5m2", 8, "int32_data", ir=9),
    20: Dtype("float8e5m2fnuz", 8, "int32_data", ir=9),
    21: Dtype("uint4", 4, "int32_data", ir=10),
    22: Dtype("int4", 4, "int32_data", ir=10),
    23: Dtype("float4e2m1", 4, "int32_data", ir=11, web=False),
    24: Dtype("float8e8m0", 8, "int32_data", ir=12, web=False),
    25: Dtype("uint2", 2, "int32_data", ir=13, web=False),
    26: Dtype("int2", 2, "int32_data", ir=13, web=False),
    27: Dtype("float6e2m3", 6, "int32_data", ir=14, web=False),
    28: Dtype("float6e3m2", 6, "int32_data", ir=14, web=False),
}

NUMBERS: dict[str, int] = {dtype.name: number for number, dtype in DTYPES.items()}

FIELD_WIDTH = {"float_data": 4, "double_data": 8}
"""Typed fields whose packed bytes are the raw bytes, with the width of one value."""


_WIDE_FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})
DATA = _WIDE_FLOATS | {one.name for one in DTYPES.values() if 0 < one.bits <= 8 and one.name != "bool"}
"""Names of what models compute in, and not sizes, indices, masks and the sums of integer products."""


def nbytes(dtype: Dtype, dims: tuple[int, ...]) -> int:
    """Bytes that a tensor takes in raw_data; elements narrower than a byte are packed, the last byte padded."""
    return (math.prod(dims) * dtype.bits + 7) // 8


def stored_values(dtype: Dtype, dims: tuple[int, ...]) -> int:
    """How many values the typed field holds: complex takes two for an element, sub-byte types share one."""
    count = math.prod(dims)
    if dtype.name.startswith("complex"):
        return 2 * count
    return nbytes(dtype, dims) if 0 < dtype.bits < 8 else count
