"""Sparse tensors: checked, then made dense, because no quantizer and not every runtime build takes them.

`indices` is [nnz] of linear positions or [nnz, rank] of coordinates, int64, in ascending order without repeats.
"""

from __future__ import annotations

import math
from typing import Any

from .dtypes import DTYPES, nbytes
from .payloads import Payloads
from .tensors import TensorFault, dims_of, tensor_bytes

MAX_DENSE = 1 << 30
"""Bytes of the dense form: a browser cannot hold more anyway."""


def densify(sparse: Any, payloads: Payloads) -> Any:
    """A dense TensorProto, named as `sparse.values` is, of a settled SparseTensorProto. Raises TensorFault."""
    import numpy as np

    dims, dtype = dims_of(sparse), DTYPES[sparse.values.data_type]
    if nbytes(dtype, dims) > MAX_DENSE:
        raise TensorFault("MB235", f"its dense shape {list(dims)} would take {nbytes(dtype, dims):,} bytes")
    if dtype.bits < 8:
        raise TensorFault("MB234", f"values of type {dtype.name} cannot be sparse here")
    positions = _positions(sparse, dims, payloads)
    width = dtype.bits // 8
    dense = np.zeros((math.prod(dims), width), np.uint8)
    dense[positions] = np.frombuffer(tensor_bytes(sparse.values, payloads), np.uint8).reshape(-1, width)
    tensor = type(sparse.values)(name=sparse.values.name, data_type=sparse.values.data_type, dims=dims)
    payloads.put(tensor, dense.tobytes())
    return tensor


def _positions(sparse: Any, dims: tuple[int, ...], payloads: Payloads) -> Any:
    """Linear positions of the values, as a 1-D int64 array."""
    import numpy as np

    shape, count = tuple(sparse.indices.dims), math.prod(sparse.values.dims)
    if sparse.indices.data_type != 7 or shape not in ((count,), (count, len(dims))):
        raise TensorFault("MB234", f"its indices have the shape {list(shape)}, which does not fit {count} values")
    indices = np.frombuffer(tensor_bytes(sparse.indices, payloads), "<i8").reshape(shape)
    limits = np.array(dims if indices.ndim == 2 else [math.prod(dims)], np.int64)
    if indices.size and ((indices < 0).any() or (indices >= limits).any()):
        raise TensorFault("MB234", f"an index lies outside its shape {list(dims)}")
    linear = np.ravel_multi_index(tuple(indices.T), dims) if indices.ndim == 2 and dims else indices.reshape(-1)
    if linear.size and (np.diff(linear) <= 0).any():
        raise TensorFault("MB234", "its indices are not in ascending order, or repeat")
    return linear
