"""Model-local functions: recursion and explosion are found by counting, before anything inlines them.

26 nested functions that call the next one twice are a tiny file and 2**25 nodes; onnxruntime, onnxsim and shape
inference all hang on it. The count is exact (Python integers) and costs one visit of each function.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from .faults import Faults, quote
from .order import sorted_order
from .payloads import Payloads
from .visit import graphs, nodes, own_tensors

MAX_NODES = 1_000_000
"""Nodes after all functions are inlined. The largest real models have some 50,000."""

Key = tuple[str, str, str]


def function_key(function: Any) -> Key:
    return function.domain, function.name, function.overload


def call_key(node: Any) -> Key:
    return node.domain, node.op_type, node.overload


@dataclass(frozen=True)
class _Body:
    own: int
    """Nodes that are not calls."""
    calls: Counter[Key]


def check_functions(model: Any, faults: Faults) -> None:
    """Notes duplicate, recursive and exploding functions."""
    table: dict[Key, _Body] = {}
    keys = {function_key(function) for function in model.functions}
    for function in model.functions:
        key = function_key(function)
        if key in table:
            faults.add("MB239", f"function {quote(_name(key))} is defined twice")
        table[key] = _body(function, keys)
    counts = _count(table, faults)
    if counts is not None:
        _check_total(_body(model.graph, keys), counts, faults)


def _body(holder: Any, keys: set[Key]) -> _Body:
    called = [call_key(node) for node in nodes(holder)]
    calls = Counter(key for key in called if key in keys)
    return _Body(len(called) - calls.total(), calls)


def _count(table: dict[Key, _Body], faults: Faults) -> dict[Key, int] | None:
    """Nodes of each function when inlined, callees first; None when there is recursion, which is noted."""
    keys = list(table)
    order, cycle = sorted_order([table[key].calls for key in keys], {key: index for index, key in enumerate(keys)})
    if cycle:
        names = " -> ".join(quote(_name(keys[index])) for index in cycle[:4])
        faults.add("MB237", f"functions call themselves, directly or through each other: {names}")
        return None
    counts: dict[Key, int] = {}
    for index in order:
        counts[keys[index]] = _total(table[keys[index]], counts)
    return counts


def _total(body: _Body, counts: dict[Key, int]) -> int:
    return min(body.own + sum(times * counts[key] for key, times in body.calls.items()), 1 << 62)


def _check_total(main: _Body, counts: dict[Key, int], faults: Faults) -> None:
    total = _total(main, counts)
    if total > MAX_NODES:
        faults.add("MB238", f"the model's functions expand into {total:,} nodes; {MAX_NODES:,} is the most we take")


def holding_payloads(model: Any, payloads: Payloads) -> list[tuple[str, str]]:
    """(domain, name) of the functions that hold a big tensor, which only a main graph can store outside."""
    return [
        (function.domain, function.name)
        for function in model.functions
        if any(payloads.region(site.tensor) for body in graphs(function) for site in own_tensors(body))
    ]


def inline_functions(model: Any, which: list[tuple[str, str]]) -> Any:
    """The model with calls of these functions replaced by their nodes. Domain and name only: all overloads."""
    import onnx.inliner

    return onnx.inliner.inline_selected_functions(model, which)


def _name(key: Key) -> str:
    domain, name, overload = key
    return f"{domain}::{name}" + (f":{overload}" if overload else "")
