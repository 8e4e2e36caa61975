"""Lifts big tensors into the main graph's initializers, the one place where every runtime takes external data.

Weights hide in Constant nodes and in the graphs of If, Loop and Scan (silero-vad: all of them). A lifted tensor
keeps its name when that is the only one; a nested graph that hands the tensor out gets an Identity node,
because onnxruntime refuses to return a value of an outer graph.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .model import INLINE_BELOW
from .payloads import Payloads
from .visit import graphs, set_nodes, subgraphs


def lift(model: Any, payloads: Payloads) -> int:
    """Moves every liftable big tensor of the main graph and its nested graphs; returns how many moved."""
    return _Lifter(model.graph, payloads).run()


@dataclass
class _Lifter:
    main: Any
    payloads: Payloads
    moved: int = 0
    _names: Counter[str] = field(default_factory=Counter)
    """How often each name is defined, in all scopes."""

    def run(self) -> int:
        for graph in graphs(self.main):
            self._names.update(_defined(graph))
        self._constants(self.main, {})
        for node in self.main.node:
            for graph in subgraphs(node):
                self._nested(graph, {})
        return self.moved

    def _nested(self, graph: Any, outer: dict[str, str]) -> None:
        """Lifts out of a nested graph. `outer`: new names of what was lifted around it."""
        local = set(_defined(graph))
        renames = {name: new for name, new in outer.items() if name not in local}
        lifted = self._initializers(graph) | self._constants(graph, _outputs(graph))
        self._hand_out(graph, local, renames, lifted)
        renames |= lifted
        for node in graph.node:
            _rename_inputs(node, renames)
            for nested in subgraphs(node):
                self._nested(nested, renames)

    def _initializers(self, graph: Any) -> dict[str, str]:
        """Lifts the big initializers of a nested graph, except those that are defaults of its inputs."""
        inputs, outputs = {value.name for value in graph.input}, _outputs(graph)
        kept, renames = [], {}
        for tensor in graph.initializer:
            if self.payloads.region(tensor) is None or tensor.name in inputs:
                kept.append(tensor)
            else:
                renames[tensor.name] = self._move(tensor, tensor.name, outputs)
        if renames:
            holder = type(graph)()
            holder.initializer.extend(kept)
            graph.ClearField("initializer")
            graph.initializer.MergeFrom(holder.initializer)
        return renames

    def _constants(self, graph: Any, outputs: Any) -> dict[str, str]:
        """Lifts the big Constant nodes of one graph. In the main graph every name stays as it is."""
        kept, renames = [], {}
        for node in graph.node:
            tensor = self._constant(node)
            if tensor is None:
                kept.append(node)
            else:
                renames[node.output[0]] = self._move(tensor, node.output[0], outputs, graph is self.main)
        if renames:
            set_nodes(graph, kept)
        return renames

    def _constant(self, node: Any) -> Any:
        """The big tensor of a Constant node, or None."""
        if node.op_type != "Constant" or node.domain or len(node.attribute) != 1 or len(node.output) != 1:
            return None
        attribute = node.attribute[0]
        if attribute.name != "value" or not node.output[0] or self.payloads.region(attribute.t) is None:
            return None
        return attribute.t

    def _move(self, tensor: Any, name: str, outputs: Any, keep: bool = False) -> str:
        alone = self._names[name] == 1 and name not in outputs
        new = name if keep or alone else self._fresh(name)
        copy = self.main.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = new
        self.moved += 1
        return new

    def _fresh(self, name: str) -> str:
        number = 1
        while f"{name}.{number}" in self._names:
            number += 1
        self._names[f"{name}.{number}"] = 1
        return f"{name}.{number}"

    def _hand_out(self, graph: Any, local: set[str], outer: dict[str, str], lifted: dict[str, str]) -> None:
        """Adds an Identity node for each output that is (now) a value of an outer graph."""
        for output in graph.output:
            if output.name in lifted:
                graph.node.add(op_type="Identity", input=[lifted[output.name]], output=[output.name])
            elif output.name not in local:
                source, output.name = outer.get(output.name, output.name), self._fresh(output.name)
                graph.node.add(op_type="Identity", input=[source], output=[output.name])


def unfold_constant(node: Any, payloads: Payloads) -> None:
    """Turns a Constant's long list of numbers into a tensor, so that it can be lifted."""
    if node.op_type != "Constant" or node.domain or len(node.attribute) != 1:
        return
    attribute = node.attribute[0]
    values, code, dtype = (
        (attribute.floats, "<f4", 1) if attribute.name == "value_floats" else (attribute.ints, "<i8", 7)
    )
    if attribute.name not in ("value_floats", "value_ints") or len(values) * int(code[2]) < INLINE_BELOW:
        return
    import numpy as np

    data, count = np.array(values, code).tobytes(), len(values)
    set_constant(node, dtype, (count,), data, payloads)


def set_constant(node: Any, dtype: int, dims: tuple[int, ...], data: bytes, payloads: Payloads) -> None:
    """Makes `data` the tensor value of a Constant node."""
    node.ClearField("attribute")
    attribute = node.attribute.add(name="value", type=4)
    attribute.t.data_type = dtype
    attribute.t.dims.extend(dims)
    payloads.put(attribute.t, data)


def _rename_inputs(node: Any, renames: dict[str, str]) -> None:
    for index, name in enumerate(node.input):
        if name in renames:
            node.input[index] = renames[name]


def _outputs(graph: Any) -> set[str]:
    return {value.name for value in graph.output}


def _defined(graph: Any) -> set[str]:
    """Names that a graph itself defines."""
    names = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    return names | {name for node in graph.node for name in node.output if name}
