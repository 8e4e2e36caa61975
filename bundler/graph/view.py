"""A Model as an editable `onnx_ir.Model`, and back.

Weights stay lazy both ways: an `onnx_ir.ExternalTensor` with an absolute location and no base folder maps the
file on first use. (With a base folder it would refuse hard links, which a user's model may well be.)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .dtypes import DTYPES, nbytes
from .external import ExternalFiles
from .faults import Faults
from .freeze import freeze
from .model import INLINE_BELOW, Model, Region
from .normalise import normalise
from .payloads import EXTERNAL, Payloads
from .tensors import Settler, dims_of
from .visit import graphs, tensors
from .walk import Walk
from .write import graph_file

_TOKEN = "weight:"
_RESULT = "the edited model"


def to_ir(model: Model) -> Any:
    """See `Model.to_ir`."""
    import onnx
    import onnx_ir

    regions = [weight.region for weight in model.weights]
    proto = onnx.load_model_from_string(graph_file(model, [(region.path, region.offset) for region in regions]))
    return onnx_ir.from_proto(proto)


def from_ir(ir_model: Any, scratch: str) -> Model:
    """See `Model.with_ir`. Raises InputError when the edited graph is none (a cycle, a name made twice, …).

    `ir_model` is unchanged afterwards. New tensors of INLINE_BELOW bytes or more are streamed into one new file in
    `scratch`; where that file system is the same, not even lazily computed ones are all in memory at once.
    """
    import onnx_ir

    faults, payloads = Faults(_RESULT), Payloads(_TOKEN, scratch)
    with _all_external(ir_model, payloads):
        proto = onnx_ir.to_proto(ir_model)
    _drop_echoes(proto)
    _settle(proto, payloads, faults)
    Walk(faults, ("*",)).model(proto)
    faults.check()
    proto = normalise(proto, payloads, faults, [])
    faults.check()
    return freeze(proto, payloads)


def _drop_echoes(proto: Any) -> None:
    """Takes out the value_info that onnx_ir writes for each weight, which says what the weight itself says: without it,
    a graph that nobody has edited comes back no bigger than it was."""
    for graph in graphs(proto.graph):
        own = {tensor.name for tensor in graph.initializer}
        kept = [value for value in graph.value_info if value.name not in own]
        if len(kept) < len(graph.value_info):
            rest = type(graph)(value_info=kept)
            graph.ClearField("value_info")
            graph.value_info.MergeFrom(rest.value_info)


@contextmanager
def _all_external(ir_model: Any, payloads: Payloads) -> Iterator[None]:
    """While it lasts, every big initializer is an ExternalTensor with an absolute location."""
    values = [value for graph in ir_model.graphs() for value in graph.initializers.values()]
    before = [(value, value.const_value) for value in values if value.const_value is not None]
    written: dict[int, Region] = {}
    try:
        for value, tensor in before:
            value.const_value = _external(value.name, tensor, payloads, written)
        yield
    finally:
        for value, tensor in before:
            value.const_value = tensor


def _external(name: str, tensor: Any, payloads: Payloads, written: dict[int, Region]) -> Any:
    import onnx_ir

    if isinstance(tensor, onnx_ir.ExternalTensor):
        path = os.path.realpath(tensor.path)
        region = Region(path, tensor.offset or 0, tensor.nbytes)
    elif tensor.dtype == onnx_ir.DataType.STRING or tensor.nbytes < INLINE_BELOW:
        return tensor
    else:
        region = written.get(id(tensor)) or payloads.spill(lambda file: _to_file(tensor, file))
        written[id(tensor)] = region
    shape = onnx_ir.Shape(tensor.shape.numpy())
    return onnx_ir.ExternalTensor(region.path, region.offset, region.length, tensor.dtype, shape=shape, name=name)


def _to_file(tensor: Any, file: Any) -> None:
    if hasattr(tensor, "tofile"):
        tensor.tofile(file)
    else:
        file.write(tensor.tobytes())


def _settle(proto: Any, payloads: Payloads, faults: Faults) -> None:
    settler = Settler(payloads, ExternalFiles("", "", ()), faults)
    for site in tensors(proto):
        if site.tensor.data_location == EXTERNAL:
            _refer(site.tensor, payloads)
        settler.settle(site)
    faults.check()


def _refer(tensor: Any, payloads: Payloads) -> None:
    """Our own references, and those of a loader to its own files, which is trusted code."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    need = nbytes(DTYPES[tensor.data_type], dims_of(tensor))
    payloads.refer(tensor, Region(entries["location"], int(entries.get("offset", 0)), need))
    if need < INLINE_BELOW:
        payloads.inline(tensor)
