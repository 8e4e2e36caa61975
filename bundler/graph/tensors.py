"""Settles every tensor of a freshly parsed model: after this, its type, shape and bytes agree.

A settled tensor has its data in exactly one form: inside (small, or text), or as a reference into `Payloads`.
What a file says about sizes is compared in Python's integers before any of it is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .dtypes import DTYPES, Dtype, nbytes, stored_values
from .external import ExternalFault, ExternalFiles
from .faults import Faults, quote
from .model import INLINE_BELOW
from .payloads import EXTERNAL, Payloads, clear_data, read_region
from .visit import Site

_TYPED = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
MAX_ELEMENTS = 1 << 62


class TensorFault(Exception):
    def __init__(self, code: str, what: str, fix: str | None = None) -> None:
        super().__init__(what)
        self.code, self.what, self.fix = code, what, fix


@dataclass(frozen=True)
class Settler:
    """`external`: the policy for files that tensors name; `payloads`: receives the big ones."""

    payloads: Payloads
    external: ExternalFiles
    faults: Faults

    def settle(self, site: Site) -> None:
        """Checks and normalises one tensor in place; what is wrong with it goes to `faults`."""
        try:
            self._settle(site.tensor)
        except (TensorFault, ExternalFault) as fault:
            self.faults.add(fault.code, f"{site}: {fault.what}", fault.fix)

    def _settle(self, tensor: Any) -> None:
        dtype, dims = dtype_of(tensor), dims_of(tensor)
        present = [name for name in _TYPED if len(getattr(tensor, name))]
        if tensor.HasField("raw_data"):
            present.append("raw_data")
        if tensor.data_location == EXTERNAL:
            self._settle_external(tensor, dtype, dims, present)
        elif tensor.external_data:
            raise TensorFault("MB233", "it names an external file, but is not marked as external")
        else:
            self._settle_inline(tensor, dtype, dims, present)

    def _settle_external(self, tensor: Any, dtype: Dtype, dims: tuple[int, ...], present: list[str]) -> None:
        if present:
            raise TensorFault("MB233", f"it has data both in the graph ({present[0]}) and in an external file")
        if not dtype.bits:
            raise TensorFault("MB231", "text cannot be stored in an external file")
        need = nbytes(dtype, dims)
        own = self.payloads.region(tensor)
        if own is not None:
            _expect(need, own.length, "bytes", dtype, dims)
            return
        region = self.external.resolve(tensor, need)
        if need >= INLINE_BELOW:
            self.payloads.refer(tensor, region)
        else:
            self.payloads.put(tensor, read_region(region))

    def _settle_inline(self, tensor: Any, dtype: Dtype, dims: tuple[int, ...], present: list[str]) -> None:
        if math.prod(dims) == 0:
            self._settle_empty(tensor, dtype, present)
        elif not present:
            raise TensorFault("MB233", f"it has no data, but its shape {list(dims)} needs some")
        elif len(present) > 1:
            raise TensorFault("MB233", f"it has data in two places, {present[0]} and {present[1]}")
        elif present[0] == "raw_data":
            self._settle_raw(tensor, dtype, dims)
        else:
            self._settle_typed(tensor, dtype, dims, present[0])

    def _settle_empty(self, tensor: Any, dtype: Dtype, present: list[str]) -> None:
        if any(len(getattr(tensor, name)) for name in present):
            raise TensorFault("MB232", "it holds data, but its shape has no elements")
        clear_data(tensor)
        if dtype.bits:
            tensor.raw_data = b""

    def _settle_raw(self, tensor: Any, dtype: Dtype, dims: tuple[int, ...]) -> None:
        if not dtype.bits:
            raise TensorFault("MB231", "text must be in string_data, not in raw_data")
        _expect(nbytes(dtype, dims), len(tensor.raw_data), "bytes", dtype, dims)
        if len(tensor.raw_data) >= INLINE_BELOW:
            self.payloads.put(tensor, tensor.raw_data)

    def _settle_typed(self, tensor: Any, dtype: Dtype, dims: tuple[int, ...], field: str) -> None:
        if field != dtype.field:
            raise TensorFault("MB231", f"its type is {dtype.name}, but its data is in {field}")
        values = getattr(tensor, field)
        _expect(stored_values(dtype, dims), len(values), "values", dtype, dims)
        if dtype.bits and nbytes(dtype, dims) >= INLINE_BELOW:
            self.payloads.put(tensor, raw_from_values(dtype, values))


def dtype_of(tensor: Any) -> Dtype:
    """The element type of a TensorProto. Raises TensorFault for one that we do not know or a browser cannot run."""
    return known_dtype(tensor.data_type)


def known_dtype(number: int) -> Dtype:
    dtype = DTYPES.get(number)
    if dtype is None:
        raise TensorFault("MB231", f"data type {number} does not exist")
    if not dtype.web:
        raise TensorFault("MB236", f"its data type is {dtype.name}, which onnxruntime-web cannot run")
    return dtype


def dims_of(tensor: Any) -> tuple[int, ...]:
    """The shape of a TensorProto. Raises TensorFault for negative dimensions and absurd products."""
    dims = tuple(tensor.dims)
    negative = [size for size in dims if size < 0]
    if negative:
        raise TensorFault("MB230", f"its shape {list(dims)} has the negative dimension {negative[0]}")
    if math.prod(size for size in dims if size) > MAX_ELEMENTS:
        raise TensorFault("MB230", f"its shape {list(dims)[:8]} has more elements than any memory holds")
    return dims


def raw_from_values(dtype: Dtype, values: Any) -> bytes:
    """raw_data, little-endian, from the values of a typed field (one per element; sub-byte types: one per byte)."""
    import numpy as np

    if dtype.field in ("float_data", "double_data"):
        return np.array(values, "<f4" if dtype.field == "float_data" else "<f8").tobytes()
    width = max(dtype.bits, 8) // 8
    wide = np.array(values, "<u8" if dtype.field == "uint64_data" else "<i8")
    return wide.astype(f"<u{width}").tobytes()


def tensor_bytes(tensor: Any, payloads: Payloads) -> bytes:
    """The raw bytes of a settled, non-string TensorProto, wherever they are."""
    region = payloads.region(tensor)
    if region is not None:
        return read_region(region)
    dtype = DTYPES[tensor.data_type]
    values = getattr(tensor, dtype.field)
    return raw_from_values(dtype, values) if len(values) else bytes(tensor.raw_data)


def _expect(need: int, found: int, unit: str, dtype: Dtype, dims: tuple[int, ...]) -> None:
    if need != found:
        raise TensorFault(
            "MB232", f"its shape {list(dims)} and type {dtype.name} need {need:,} {unit}, but it holds {found:,}"
        )


def check_name(site: Site, faults: Faults) -> None:
    """Initializers need a name; every tensor's name must be text."""
    name = site.tensor.name
    if not isinstance(name, str):
        faults.add("MB221", f"the name {quote(name)} of a tensor is not UTF-8 text")
    elif not name and site.role == "initializer":
        faults.add("MB222", f"an initializer of shape {list(site.tensor.dims)} has no name")
