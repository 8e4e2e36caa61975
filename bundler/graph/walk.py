"""The structural walk: everything that makes a graph a graph, checked on the skeleton before any library sees it.

Libraries differ in what they accept (an unsorted graph, two initializers of one name, opset 99) and some crash
on what they accept; this walk is the one place that says what we take. It sorts nodes where the order is
wrong, because that can be mended without a doubt, and leaves everything else as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .faults import Faults, describe, quote
from .functions import Key, call_key, function_key
from .operators import Operators
from .opsets import opset_table
from .order import is_sorted, sorted_order
from .visit import set_nodes, subgraphs

Captured = dict[str, Any]
"""Names that a node or graph takes from outside, each with who uses it: a node, or a text."""


class Scope(NamedTuple):
    """Where a body stands: the operators it may use, and whether it is (in) a function, or nested in a node."""

    operators: Operators
    in_function: bool = False
    nested: bool = False


@dataclass
class Walk:
    """Walks one ModelProto. `notes`: what was mended."""

    faults: Faults
    external_ops: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    _local: set[Key] = field(default_factory=set)
    """The model's own functions."""

    def model(self, model: Any) -> None:
        """Notes every structural fault of the main graph, its subgraphs and the functions."""
        self._local = {function_key(function) for function in model.functions}
        operators = Operators(opset_table(model.opset_import), self.external_ops)
        if not model.graph.node:
            self.faults.add("MB229", f"the graph {quote(model.graph.name)} has no nodes")
        if not model.graph.output:
            self.faults.add("MB227", f"the graph {quote(model.graph.name)} has no outputs")
        self._dangling(self._graph(model.graph, Scope(operators)), "")
        for function in model.functions:
            self._function(function, operators)

    def _function(self, function: Any, outside: Operators) -> None:
        opsets = opset_table(function.opset_import) or outside.opsets
        given = {name for name in function.input if self._text(name, "an input of a function")}
        captured = self._body(function, given, Scope(Operators(opsets, self.external_ops), in_function=True))
        self._dangling(captured, f" in function {quote(function.name)}")

    def _dangling(self, captured: Captured, where: str) -> None:
        for name, user in captured.items():
            who = user if isinstance(user, str) else describe(user)
            self.faults.add("MB226", f"{who}{where} uses {quote(name)}, which nothing makes")

    def _graph(self, graph: Any, scope: Scope) -> Captured:
        return self._body(graph, self._given(graph), scope)

    def _body(self, body: Any, given: set[str], scope: Scope) -> Captured:
        """Checks the nodes of a graph or function, sorts them, and returns the names that they take from outside."""
        makers = self._makers(body, given)
        for node in body.node:
            self._node(node, scope)
        needs = [self._needs(node, scope._replace(nested=True)) for node in body.node]
        if not is_sorted(needs, makers):
            self._sort(body, needs, makers)
        needs.append(self._outputs(body, given | makers.keys(), scope))
        return {k: user for need in needs for k, user in need.items() if k not in makers and k not in given}

    def _given(self, graph: Any) -> set[str]:
        """Names of inputs and initializers."""
        inputs = [value.name for value in graph.input if self._text(value.name, "a graph input", named=True)]
        tensors = [*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)]
        names = [tensor.name for tensor in tensors if self._text(tensor.name, "an initializer", named=True)]
        self._once("MB224", "two graph inputs have the name", inputs)
        self._once("MB223", "two initializers have the name", names)
        return {*inputs, *names}

    def _makers(self, body: Any, given: set[str]) -> dict[str, int]:
        """Which node makes each name; a name is made once, and not given as well."""
        makers: dict[str, int] = {}
        for index, node in enumerate(body.node):
            for name in node.output:
                if not self._text(name, "the output of a node"):
                    continue
                if name in makers or name in given:
                    self.faults.add("MB224", f"{describe(node)} makes {quote(name)}, which exists already")
                makers.setdefault(name, index)
        return makers

    def _needs(self, node: Any, scope: Scope) -> Captured:
        needs: Captured = {name: node for name in node.input if self._text(name, "the input of a node")}
        for graph in subgraphs(node):
            needs |= self._graph(graph, scope)
        return needs

    def _sort(self, body: Any, needs: list[Captured], makers: dict[str, int]) -> None:
        order, cycle = sorted_order(needs, makers)
        if cycle:
            names = " -> ".join(describe(body.node[index]) for index in cycle[:6])
            self.faults.add("MB225", f"nodes wait for each other: {names}{' -> …' if len(cycle) > 6 else ''}")
            return
        set_nodes(body, [body.node[index] for index in order])
        self.notes.append(f"sorted the nodes of {quote(body.name)}, which were not in order of use")

    def _outputs(self, body: Any, known: set[str], scope: Scope) -> Captured:
        """Checks the outputs. A nested graph may hand out a name from outside; nothing else may."""
        names = [getattr(output, "name", output) for output in body.output]
        names = [name for name in names if self._text(name, f"an output of {quote(body.name)}", named=True)]
        self._once("MB224", f"{quote(body.name)} has two outputs of the name", names)
        missing = [name for name in names if name not in known]
        if scope.nested:
            return dict.fromkeys(missing, f"the output of the nested graph {quote(body.name)}")
        for name in missing:
            self.faults.add("MB228", f"nothing makes the output {quote(name)} of {quote(body.name)}")
        return {}

    def _node(self, node: Any, scope: Scope) -> None:
        texts = (node.name, node.op_type, node.domain, node.overload)
        bad = [text for text in texts if not isinstance(text, str)]
        for text in bad:
            self._text(text, f"the name, operator or domain of {describe(node)}")
        self._attributes(node, scope.in_function)
        if bad or call_key(node) in self._local:
            return
        fault = scope.operators.fault(node.domain, node.op_type)
        if fault:
            self.faults.add(fault.code, f"{describe(node)}: {fault.what}", fault.fix)

    def _attributes(self, node: Any, in_function: bool) -> None:
        names = [attribute.name for attribute in node.attribute if self._text(attribute.name, "an attribute")]
        if len(names) < len(node.attribute):
            self.faults.add("MB241", f"{describe(node)} has an attribute without a name")
        if len(set(names)) < len(names):
            self._once("MB241", f"{describe(node)} has two attributes of the name", names)
        if not in_function and any(attribute.ref_attr_name for attribute in node.attribute):
            self.faults.add("MB241", f"{describe(node)} refers to an attribute of a function, but is in none")

    def _once(self, code: str, what: str, names: list[str]) -> None:
        for name in _repeated(names):
            self.faults.add(code, f"{what} {quote(name)}")

    def _text(self, name: Any, what: str, *, named: bool = False) -> Any:
        """The name, or "" after noting that it is not UTF-8 (or, where one is due, missing)."""
        if not isinstance(name, str):
            self.faults.add("MB221", f"{what}, {quote(name)}, is not UTF-8 text")
            return ""
        if named and not name:
            self.faults.add("MB222", f"{what} has no name")
        return name


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
