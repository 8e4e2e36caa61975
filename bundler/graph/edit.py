"""A Model opened as a bare protobuf, for rewrites that need no IR: building one takes longer than they do.

The graphs are edited in place; weights are only ever referred to. `close` drops what nothing uses any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .convert import reach_opset
from .dtypes import NUMBERS
from .freeze import freeze
from .model import INLINE_BELOW, Model, Region, Weight
from .opsets import opset_table, tidy_imports
from .payloads import Payloads, read_region
from .visit import graphs

_TOKEN = "weight:"


class Edit:
    """`proto`: the ModelProto. `scratch`: folder for tensors that `put` is given."""

    def __init__(self, model: Model, scratch: str) -> None:
        import onnx

        self.proto = onnx.load_model_from_string(model.skeleton)
        self.payloads = Payloads(_TOKEN, scratch)
        self.weights = {weight.name: weight for weight in model.weights}
        """The big initializers of the main graph by name."""
        self._names = set(_names(self.proto.graph))
        for tensor in self.proto.graph.initializer:
            if tensor.name in self.weights and tensor.external_data:
                self.payloads.refer(tensor, self.weights[tensor.name].region)

    @property
    def graph(self) -> Any:
        return self.proto.graph

    def opset(self, domain: str = "") -> int:
        return opset_table(self.proto.opset_import).get(domain, 0)

    def reach_opset(self, least: int) -> bool:
        """Raises the standard operator set to `least`, if it is older; False when the model cannot be converted."""
        converted = reach_opset(self.proto, least)
        self.proto = converted or self.proto
        return converted is not None

    def need(self, domain: str, version: int) -> None:
        """Imports an operator set that the model does not import yet."""
        if domain not in opset_table(self.proto.opset_import):
            self.proto.opset_import.add(domain=domain, version=version)

    def fresh(self, stem: str) -> str:
        """A name that no value of any graph has; never given out twice."""
        name, number = stem, 1
        while name in self._names:
            name, number = f"{stem}.{number}", number + 1
        self._names.add(name)
        return name

    def refer(self, stem: str, dtype: str, shape: tuple[int, ...], region: Region) -> str:
        """Adds an initializer to the main graph whose bytes are `region`, and returns its name."""
        tensor = self._tensor(stem, dtype, shape)
        if region.length < INLINE_BELOW:
            tensor.raw_data = read_region(region)
        else:
            self.payloads.refer(tensor, region)
            self.weights[tensor.name] = Weight(tensor.name, dtype, shape, region)
        return str(tensor.name)

    def put(self, stem: str, array: Any) -> str:
        """Adds a numpy array as an initializer of the main graph, and returns its name."""
        tensor = self._tensor(stem, array.dtype.name, array.shape)
        self.payloads.put(tensor, array.tobytes())
        return str(tensor.name)

    def retype(self, tensor: Any, dtype: str, region: Region) -> None:
        """Gives an initializer of the main graph another type and other bytes."""
        tensor.data_type = NUMBERS[dtype]
        self.weights[tensor.name] = Weight(tensor.name, dtype, tuple(tensor.dims), region)
        self.payloads.refer(tensor, region)
        if region.length < INLINE_BELOW:
            self.payloads.inline(tensor)

    def _tensor(self, stem: str, dtype: str, shape: tuple[int, ...]) -> Any:
        tensor = self.graph.initializer.add(name=self.fresh(stem), data_type=NUMBERS[dtype])
        tensor.dims.extend(shape)
        return tensor

    def close(self) -> Model:
        """The Model of what the graphs have become."""
        self._drop_unused()
        tidy_imports(self.proto)
        return freeze(self.proto, self.payloads)

    def _drop_unused(self) -> None:
        """Initializers of the main graph that nothing reads. The nodes between are their rewriter's to drop."""
        used = {name for graph in graphs(self.graph) for node in graph.node for name in node.input}
        used |= {value.name for graph in graphs(self.graph) for value in (*graph.output, *graph.input)}
        keep([tensor for tensor in self.graph.initializer if tensor.name in used], self.graph, "initializer")


def keep(kept: list[Any], graph: Any, field: str) -> None:
    """Makes `kept` the elements of a repeated field of `graph`."""
    if len(kept) == len(getattr(graph, field)):
        return
    holder = type(graph)()
    getattr(holder, field).extend(kept)
    graph.ClearField(field)
    getattr(graph, field).MergeFrom(getattr(holder, field))


def _names(main: Any) -> Iterator[str]:
    for graph in graphs(main):
        for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
            yield value.name
        for node in graph.node:
            yield from node.input
            yield from node.output
