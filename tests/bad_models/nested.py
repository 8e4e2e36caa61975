"""Bad models: nested graphs and functions."""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import ModelProto, helper

from fixtures import models as good

from .table import add_node, edited


def _inner(model: ModelProto) -> onnx.GraphProto:
    """The else branch of `if_model`."""
    return next(a.g for a in model.graph.node[0].attribute if a.name == "else_branch")


edited("nested-missing-input", "MB226", lambda m: _inner(m).node[0].input.__setitem__(0, "ghost"), good.if_model)
edited(
    "nested-output-that-nothing-makes", "MB226", lambda m: setattr(_inner(m).output[0], "name", "ghost"), good.if_model
)
edited("nested-unknown-operator", "MB218", lambda m: setattr(_inner(m).node[0], "op_type", "Convolve"), good.if_model)
edited("nested-value-made-twice", "MB224", lambda m: _inner(m).node.append(_inner(m).node[0]), good.if_model)
edited("nested-cycle", "MB225", lambda m: _inner(m).node[0].input.__setitem__(0, "m2"), good.if_model)
edited("nested-initializer-short", "MB232", lambda m: _inner(m).initializer[0].dims.__setitem__(0, 33), good.if_model)
edited(
    "nested-two-initializers", "MB223", lambda m: _inner(m).initializer.append(_inner(m).initializer[0]), good.if_model
)
edited("nested-external-missing", "MB252", lambda m: good.refer(_inner(m).initializer[0], "gone.bin"), good.if_model)
edited("nested-external-escapes", "MB251", lambda m: good.refer(_inner(m).initializer[0], "../x.bin"), good.if_model)
edited(
    "constant-external-escapes",
    "MB251",
    lambda m: good.refer(m.graph.node[0].attribute[0].t, "/etc/passwd"),
    good.constant_weights,
)
edited("cycle-through-a-branch", "MB225", lambda m: _inner(m).node[0].input.__setitem__(0, "y"), good.if_model)


def _function(model: ModelProto, name: str, calls: list[str]) -> None:
    nodes = [
        helper.make_node(call, ["v"] if i == 0 else [f"t{i - 1}"], [f"t{i}"], domain="local")
        for i, call in enumerate(calls)
    ]
    last = f"t{len(calls) - 1}"
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    model.functions.append(helper.make_function("local", name, ["v"], [last], nodes, imports))


def _calls(model: ModelProto, name: str) -> None:
    model.opset_import.add(domain="local", version=1)
    add_node(name, ["m"], ["called"], name="call", domain="local")(model)


def _recursive(model: ModelProto) -> None:
    _calls(model, "F")
    _function(model, "F", ["F"])


def _mutual(model: ModelProto) -> None:
    _calls(model, "F")
    _function(model, "F", ["G"])
    _function(model, "G", ["F"])


def _exponential(model: ModelProto) -> None:
    _calls(model, "F0")
    for level in range(26):
        _function(model, f"F{level}", [f"F{level + 1}"] * 2)
    imports = [helper.make_opsetid("", 17)]
    model.functions.append(
        helper.make_function("local", "F26", ["v"], ["r"], [helper.make_node("Abs", ["v"], ["r"])], imports)
    )


def _function_edit(edit: Callable[[onnx.FunctionProto], object]) -> Callable[[ModelProto], object]:
    return lambda model: edit(model.functions[0])


edited("function-calls-itself", "MB237", _recursive)
edited("functions-call-each-other", "MB237", _mutual)
edited("functions-explode", "MB238", _exponential)
edited("function-defined-twice", "MB239", lambda m: m.functions.append(m.functions[0]), good.function_model)
edited(
    "function-missing-input",
    "MB226",
    _function_edit(lambda f: f.node[0].input.__setitem__(0, "ghost")),
    good.function_model,
)
edited("function-output-missing", "MB228", _function_edit(lambda f: f.output.append("ghost")), good.function_model)
edited(
    "function-unknown-operator",
    "MB218",
    _function_edit(lambda f: setattr(f.node[1], "op_type", "Convolve")),
    good.function_model,
)
edited("function-that-is-not-there", "MB219", lambda m: m.ClearField("functions"), good.function_model)
edited("function-cycle", "MB225", _function_edit(lambda f: f.node[0].input.__setitem__(0, "out")), good.function_model)
