"""The rewrite of kv_cache: the cache goes in and out in another form, and is made floats again where it is used.

Where `present` is Concat(past, new), only `new` is encoded and the rest is passed on as it is. Any other operator that
makes it (GroupQueryAttention) gets floats and gives floats: what it added at the end is cut off and encoded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ..graph.attributes import attribute
from ..graph.dtypes import NUMBERS
from ..graph.edit import Edit, keep
from ..graph.generation import Generation
from ..graph.visit import graphs, set_nodes
from .base import Skip
from .nodes import make_node

STEPS = 8
"""An int8 cache's scale is 2 to the power of a byte / STEPS: 2^-16 to 2^16, rounded up by at most 9 %."""
FLOAT = NUMBERS["float32"]


class Codec(Protocol):
    """`dtype`: of the cache; `extra`: elements that it needs behind each head's own."""

    dtype: str
    extra: int

    def encoded(self, value: str, output: str) -> list[Any]:
        """Nodes from floats to the cache's form."""
        ...

    def decoded(self, value: str, output: str) -> list[Any]:
        """Nodes back."""
        ...


class Halved:
    """As float16."""

    dtype, extra = "float16", 0

    def __init__(self, edit: Edit) -> None:
        self._edit = edit

    def encoded(self, value: str, output: str) -> list[Any]:
        return [make_node("Cast", [value], output, to=NUMBERS["float16"])]

    def decoded(self, value: str, output: str) -> list[Any]:
        return [make_node("Cast", [value], output, to=FLOAT)]


class Eighths:
    """As int8 with one more byte that says by what a head's values are to be multiplied. `loaders.verify.cache` is the
    same in numpy."""

    dtype, extra = "int8", 1

    def __init__(self, edit: Edit, before: Generation) -> None:
        self._edit, self._type = edit, NUMBERS[before.dtype]
        numbers = {"last": np.array([-1]), "least": np.float32(2.0**-100), "steps": np.float32(STEPS / math.log(2))}
        numbers |= {"step": np.float32(math.log(2) / STEPS), "low": np.float32(-128), "high": np.float32(127)}
        numbers |= {"lowest": np.float32(-127), "most": np.float32(127), "parts": np.array([before.head, 1])}
        self._names = {name: edit.put(f"kv_cache_{name}", np.asarray(array)) for name, array in numbers.items()}

    def _node(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> Any:
        named = [self._names.get(name, name) for name in inputs]
        return make_node(op, named, output or self._edit.fresh(f"{inputs[0]}_{op.lower()}"), **attributes)

    def _chain(self, value: str, *steps: tuple[Any, ...]) -> list[Any]:
        """Nodes of which each reads the former's output first. A step: operator, further inputs, attributes."""
        made: list[Any] = []
        for op, inputs, attributes in steps:
            made.append(self._node(op, made[-1].output[0] if made else value, *inputs, **attributes))
        return made

    def encoded(self, value: str, output: str) -> list[Any]:
        floats = [] if self._type == FLOAT else [self._node("Cast", value, to=FLOAT)]
        value = floats[0].output[0] if floats else value
        power = self._chain(
            value,
            ("Abs", (), {}),
            ("ReduceMax", ("last",), {"keepdims": 1}),
            ("Div", ("most",), {}),
            ("Max", ("least",), {}),
            ("Log", (), {}),
            ("Mul", ("steps",), {}),
            ("Ceil", (), {}),
            ("Clip", ("low", "high"), {}),
        )
        exponent = power[-1].output[0]
        scale = self._chain(exponent, ("Mul", ("step",), {}), ("Exp", (), {}))
        rounded = self._chain(
            value,
            ("Div", (scale[-1].output[0],), {}),
            ("Round", (), {}),
            ("Clip", ("lowest", "most"), {}),
            ("Cast", (), {"to": NUMBERS["int8"]}),
        )
        byte = self._node("Cast", exponent, to=NUMBERS["int8"])
        packed = self._node("Concat", rounded[-1].output[0], byte.output[0], output=output, axis=-1)
        return [*floats, *power, *scale, *rounded, byte, packed]

    def decoded(self, value: str, output: str) -> list[Any]:
        split = self._node("Split", value, "parts", axis=-1)
        split.output.append(self._edit.fresh(f"{value}_exponent"))
        floats = self._node("Cast", split.output[0], to=FLOAT)
        scale = self._chain(split.output[1], ("Cast", (), {"to": FLOAT}), ("Mul", ("step",), {}), ("Exp", (), {}))
        wide = self._type == FLOAT
        product = self._node("Mul", floats.output[0], scale[-1].output[0], output=output if wide else "")
        narrow = [] if wide else [self._node("Cast", product.output[0], output=output, to=self._type)]
        return [split, floats, *scale, product, *narrow]

    def lengthened(self, shape: Any) -> Any:
        """A Shape node's output is one too long in the last dimension."""
        start, end = attribute(shape, "start", 0), attribute(shape, "end", None)
        return self._edit.put("kv_cache_scales", np.array([0, 0, 0, self.extra])[start:end])


def recode(edit: Edit, generation: Generation, codec: Codec) -> None:
    """Gives every tensor of the cache the form of `codec`, in place."""
    for past, present in generation.cache:
        _recode(edit, past, present, codec)
    _retype(edit.graph, {name for pair in generation.cache for name in pair}, codec)


def _recode(edit: Edit, past: str, present: str, codec: Codec) -> None:
    made = list(edit.graph.node)
    if any(past in node.input for graph in list(graphs(edit.graph))[1:] for node in graph.node):
        raise Skip(f'its input "{past}" is used inside an If or a Loop')
    at = next((index for index, node in enumerate(made) if present in node.output), -1)
    if at < 0:
        raise Skip(f'nothing makes its output "{present}"')
    floats = edit.fresh(f"{present}_float")
    _rename(edit.graph, present, floats)
    if _appends(made[at], past):
        new = edit.fresh(f"{past}_new")
        made[at : at + 1] = [
            *codec.encoded(made[at].input[1], new),
            make_node("Concat", [past, new], present, made[at].name, axis=2),
            *codec.decoded(present, floats),
        ]
    else:
        made[at].output[list(made[at].output).index(present)] = floats
        _declare(edit.graph, present, floats)
        made[at + 1 : at + 1] = _cut(edit, past, present, floats, codec)
    set_nodes(edit.graph, made)
    _readers(edit, past, present, codec)


def _appends(node: Any, past: str) -> bool:
    joins = node.op_type == "Concat" and not node.domain and len(node.input) == 2 and node.input[0] == past
    return joins and attribute(node, "axis", 0) in (2, -2)


def _declare(graph: Any, present: str, floats: str) -> None:
    """`floats` is as long as `present`. onnxruntime-web 1.30 would take it to be as long as the past, and put it into
    the past's own memory."""
    port = next(value for value in graph.output if value.name == present)
    graph.value_info.add(name=floats).type.CopyFrom(port.type)


def _cut(edit: Edit, past: str, present: str, floats: str, codec: Codec) -> list[Any]:
    """What is new at the end of `floats`, encoded and put behind `past`."""
    length, added, new = (edit.fresh(f"{past}_{part}") for part in ("length", "added", "new"))
    last, axis = edit.put(f"{past}_last", np.array([2**31 - 1])), edit.put(f"{past}_axis", np.array([2]))
    return [
        make_node("Shape", [past], length, start=2, end=3),
        make_node("Slice", [floats, length, last, axis], added),
        *codec.encoded(added, new),
        make_node("Concat", [past, new], present, axis=2),
    ]


def _readers(edit: Edit, past: str, present: str, codec: Codec) -> None:
    """Whoever else reads `past` gets floats; who wants its shape, the shape that these would have."""
    floats = ""
    made: list[Any] = []
    for node in edit.graph.node:
        made.append(node)
        if past not in node.input or present in node.output:
            continue
        if node.op_type == "Shape" and not node.domain:
            made += _plain_shape(edit, node, codec)
            continue
        floats = floats or edit.fresh(f"{past}_float")
        node.input[:] = [floats if name == past else name for name in node.input]
    ours = codec.decoded(past, floats) if floats else []
    set_nodes(edit.graph, [*ours, *made])


def _plain_shape(edit: Edit, node: Any, codec: Codec) -> Iterator[Any]:
    if not isinstance(codec, Eighths):
        return
    packed = edit.fresh(f"{node.output[0]}_packed")
    wanted, node.output[0] = node.output[0], packed
    yield make_node("Sub", [packed, codec.lengthened(node)], wanted)


def _rename(main: Any, before: str, after: str) -> None:
    """For all that read `before`, in nested graphs too; the main graph's output keeps its name."""
    for graph in graphs(main):
        for node in graph.node:
            node.input[:] = [after if name == before else name for name in node.input]


def _retype(graph: Any, names: set[str], codec: Codec) -> None:
    for value in (*graph.input, *graph.output):
        if value.name in names:
            tensor = value.type.tensor_type
            tensor.elem_type = NUMBERS[codec.dtype]
            tensor.shape.dim[3].dim_value += codec.extra
    keep([value for value in graph.value_info if value.name not in names], graph, "value_info")
