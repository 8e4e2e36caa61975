"""What each tensor of a graph file is for: the nodes that use it, its type and where its bytes lie.

For graph files that a build emitted, whose external data is chunks elsewhere: nothing but the graph is opened.
`anatomy_of` is for the main process and runs `anatomy` in a child.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import process
from ..catalogue import problem
from ..errors import InputError
from .dtypes import DTYPES, nbytes
from .operators import operator_name
from .visit import bodies, nodes, tensors

_CARRIERS = frozenset(
    {"DequantizeLinear", "Cast", "Transpose", "Identity", "Reshape", "Unsqueeze", "Squeeze", "QuantizeLinear"}
)
"""Operators that only hand a tensor on: what counts is who computes with it."""
_CODES = frozenset({"int8", "uint8", "int4", "uint4"})
_SCALERS = frozenset({"Mul", "Sub"})
"""What turns stored integers into numbers where there is no DequantizeLinear for them."""
_HOPS = 8
_SECONDS = 120.0


class Part(NamedTuple):
    """One tensor. `path` "" and `offset` 0: its bytes are in the graph file itself. `node`, `op`: its first use.

    `users`: the operators of all nodes that read it, once for each node."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    path: str
    offset: int
    node: str
    op: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anatomy:
    nodes: int
    ops: tuple[tuple[str, int], ...]
    parts: tuple[Part, ...]


def anatomy_of(path: str, label: str) -> Anatomy:
    """Of the graph file at `path`, read in a child: MbundleError when it is none, or takes the child down."""
    limits = process.Limits(memory=2 << 30, wall=_SECONDS)
    found: Anatomy = process.run("bundler.graph.anatomy:anatomy", path, limits=limits, label=label)
    return found


def anatomy(path: str) -> Anatomy:
    """Of the .onnx file at `path`. InputError MB209 when it is none."""
    model = _parsed(path)
    uses = _uses(model)
    parts = tuple(part for site in tensors(model) if (part := _part(site, uses)) is not None)
    ops: dict[str, int] = {}
    for node in _nodes(model):
        ops[_op(node)] = ops.get(_op(node), 0) + 1
    return Anatomy(sum(ops.values()), tuple(sorted(ops.items())), parts)


def _parsed(path: str) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        with open(path, "rb") as file:
            model.ParseFromString(file.read())
    except DecodeError as error:
        raise InputError(problem("MB209", f"the graph file is not protobuf: {error}", file=path)) from error
    return model


def _nodes(model: Any) -> Iterator[Any]:
    return (node for body in bodies(model) for node in nodes(body))


def _op(node: Any) -> str:
    return operator_name("" if node.domain == "ai.onnx" else node.domain, node.op_type)


def _uses(model: Any) -> dict[str, list[Any]]:
    """Value -> the nodes that read it."""
    found: dict[str, list[Any]] = {}
    for node in _nodes(model):
        for name in dict.fromkeys(node.input):
            found.setdefault(name, []).append(node)
    return found


def _part(site: Any, uses: dict[str, list[Any]]) -> Part | None:
    tensor = site.tensor
    dtype = DTYPES.get(tensor.data_type)
    if dtype is None:
        return None
    owner = site.owner if hasattr(site.owner, "op_type") else None
    constant = owner is not None and owner.op_type == "Constant" and len(owner.output) > 0
    name = (owner.output[0] if constant else tensor.name) if owner is not None else tensor.name
    user = owner if owner is not None and not constant else _user(name, uses, scaled=dtype.name in _CODES)
    places = {entry.key: entry.value for entry in tensor.external_data}
    shape = tuple(tensor.dims)
    size = sum(map(len, tensor.string_data)) if dtype.bits == 0 else nbytes(dtype, shape)
    where = (places.get("location", ""), _number(places.get("offset", "0")))
    node, op = (user.name, _op(user)) if user is not None else ("", "")
    readers = [owner] if owner is not None and not constant else uses.get(name, [])
    return Part(name, dtype.name, shape, max(size, 0), *where, node, op, tuple(map(_op, readers)))


def _user(name: str, uses: dict[str, list[Any]], scaled: bool) -> Any:
    user = _first(name, uses)
    for _ in range(_HOPS):
        carries = user is not None and (user.op_type in _CARRIERS or (scaled and user.op_type in _SCALERS))
        if user is None or not carries or not user.output:
            return user
        further = _first(user.output[0], uses)
        if further is None:
            return user
        user = further
    return user


def _first(name: str, uses: dict[str, list[Any]]) -> Any:
    return next(iter(uses.get(name, ())), None)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else 0
