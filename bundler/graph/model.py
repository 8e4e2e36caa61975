"""The Model that flows through loaders: a protobuf skeleton plus references into mapped files.

Invariant: immutable, picklable, and small. No weight byte of 1 KiB or more is ever inside `skeleton`; each such
tensor is an external-data reference whose location is "#<i>", the index into `weights`. So the skeleton
is the same bytes wherever the files lie, and is what cache keys digest. (What ONNX cannot store outside stays:
text, and the tensor attributes of operators other than Constant.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

INLINE_BELOW = 1024
"""Bytes. Smaller tensors stay in the graph: shapes and scalars that runtimes read while they build it."""


@dataclass(frozen=True, slots=True)
class Region:
    """`length` bytes at `offset` of the file at `path` (absolute, real). Little-endian, as ONNX raw_data."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor of at least INLINE_BELOW bytes. `dtype` is ONNX's lower-case name ("float32", "int4")."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    region: Region


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output. A dimension is an int, a symbolic name, or None (unknown); shape None: unknown rank."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    in_place: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """(input, output) each of a cache that may be one buffer: see `graph.inplace`."""


@dataclass(frozen=True, slots=True)
class Model:
    """See the module's header. `ops`: counts of node types ("Op", "domain::Op"), subgraphs and functions included;
    `dtypes`: counts of the same nodes by the type that they compute in (`graph.computing`), most first."""

    skeleton: bytes
    weights: tuple[Weight, ...]
    signature: Signature
    ir_version: int
    opsets: tuple[tuple[str, int], ...]
    ops: tuple[tuple[str, int], ...]
    dtypes: tuple[tuple[str, int], ...] = ()

    @property
    def nodes(self) -> int:
        return sum(count for _, count in self.ops)

    @property
    def nbytes(self) -> int:
        """Bytes of graph and weights together."""
        return len(self.skeleton) + sum(weight.region.length for weight in self.weights)

    def to_ir(self) -> Any:
        """A fresh, editable `onnx_ir.Model`; weights are lazy `ExternalTensor`s into the mapped files."""
        from .view import to_ir

        return to_ir(self)

    def with_ir(self, ir_model: Any, scratch: str) -> Model:
        """The Model of an edited `onnx_ir.Model`. New tensors are written to one file in the folder `scratch`."""
        from .view import from_ir

        return from_ir(ir_model, scratch)
