"""Element types of all values of a model, read off the operators' schemas: enough to know where a Cast belongs.

Not onnx's shape inference: that knows nothing behind an operator of another domain, and aborts the process on some
models.
"""

from __future__ import annotations

from typing import Any

from .attributes import attribute
from .dtypes import NUMBERS
from .operators import find_schema
from .visit import graphs, subgraphs

FLOAT = NUMBERS["float32"]
FLOATS = (FLOAT, *(NUMBERS[name] for name in ("float16", "bfloat16", "float64")))
_BY_ATTRIBUTE = {
    "Bernoulli": "dtype",
    "Cast": "to",
    "EyeLike": "dtype",
    "Multinomial": "dtype",
    "RandomNormal": "dtype",
    "RandomNormalLike": "dtype",
    "RandomUniform": "dtype",
    "RandomUniformLike": "dtype",
}
_TENSORS = {"tensor(float)": FLOAT} | {f"tensor({name})": number for name, number in NUMBERS.items()}


class Types:
    """Name -> TensorProto.DataType. What cannot be known is not in it."""

    def __init__(self, graph: Any, opset: int) -> None:
        self._opset = opset
        self._known: dict[str, int] = {}
        for one in graphs(graph):
            self._known |= {tensor.name: tensor.data_type for tensor in one.initializer}
            for value in (*one.input, *one.output, *one.value_info):
                if value.type.tensor_type.elem_type:
                    self._known[value.name] = value.type.tensor_type.elem_type
        self._graph(graph)

    def of(self, name: str) -> int:
        """0: unknown."""
        return self._known.get(name, 0)

    def is_float(self, name: str) -> bool:
        return bool(name) and self.of(name) == FLOAT

    def _graph(self, graph: Any) -> None:
        for node in graph.node:
            inner = list(subgraphs(node))
            for body in inner:
                self._bind(node, body)
                self._graph(body)
            for index, name in enumerate(node.output):
                if name and name not in self._known:
                    found = self._of_body(node, index, inner) if inner else self._output(node, index)
                    self._known |= {name: found} if found else {}

    def _quantized(self, node: Any) -> int:
        """The type of the zero point decides; without one an attribute, which came later than the operator."""
        zero = self.of(node.input[2]) if len(node.input) > 2 else 0
        return zero or _number(attribute(node, "output_dtype", 0)) or NUMBERS["uint8"]

    def _foreign(self, node: Any) -> int:
        """onnxruntime's own operators give what is quantized back in the type of its first input (QLinearAdd), and all
        else in the type of the floats that they read, which stand beside integers (MatMulNBits, MatMulIntegerToFloat,
        GatherBlockQuantized)."""
        given = [self.of(name) for name in node.input]
        if node.op_type.startswith("QLinear"):
            return given[0] if given else 0
        return next((kind for wanted in FLOATS for kind in given if kind == wanted), 0)

    def _bind(self, node: Any, body: Any) -> None:
        """Gives the inputs of a loop's body the types of what the loop is given."""
        for value, name in zip(body.input, node.input, strict=False):
            if value.name not in self._known and self.of(name):
                self._known[value.name] = self.of(name)

    def _of_body(self, node: Any, index: int, inner: list[Any]) -> int:
        shift = 1 if node.op_type == "Loop" else 0
        outputs = inner[0].output
        return self.of(outputs[index + shift].name) if index + shift < len(outputs) else 0

    def _output(self, node: Any, index: int) -> int:
        if node.op_type in _BY_ATTRIBUTE:
            like = self.of(node.input[0]) if node.input else FLOAT
            return _number(attribute(node, _BY_ATTRIBUTE[node.op_type], like if "Like" in node.op_type else FLOAT))
        if node.op_type in ("Constant", "ConstantOfShape"):
            return _constant(node)
        if node.op_type == "QuantizeLinear":
            return self._quantized(node)
        schema = find_schema(node.domain, node.op_type, self._opset) if not node.domain else None
        if schema is None:
            return self._foreign(node)
        kind = _formal(schema.outputs, index)
        if kind in _TENSORS:
            return _TENSORS[kind]
        for position, name in enumerate(node.input):
            if _formal(schema.inputs, position) == kind and self.of(name):
                return self.of(name)
        allowed = _allowed(schema, kind)
        return _TENSORS.get(next(iter(allowed)), 0) if len(allowed) == 1 else 0


def takes_half(node: Any, opset: int) -> tuple[bool, frozenset[int]]:
    """Whether float16 may stand for float32 in a standard node, and which inputs must stay float32 all the same."""
    schema = find_schema("", node.op_type, opset)
    if schema is None:
        return False, frozenset()
    fixed = frozenset(i for i in range(len(node.input)) if _formal(schema.inputs, i) == "tensor(float)")
    kinds = {_formal(schema.inputs, i) for i in range(len(node.input)) if i not in fixed}
    kinds |= {_formal(schema.outputs, i) for i in range(len(node.output))}
    return all(_halves(schema, kind) for kind in kinds), fixed


def _halves(schema: Any, kind: str) -> bool:
    allowed = _allowed(schema, kind)
    return "tensor(float)" not in allowed or "tensor(float16)" in allowed


def _allowed(schema: Any, kind: str) -> list[str]:
    for constraint in schema.type_constraints:
        if constraint.type_param_str == kind:
            return list(constraint.allowed_type_strs)
    return [kind]


def _formal(parameters: Any, index: int) -> str:
    """The type of a formal parameter; the last one may stand for many."""
    if not parameters:
        return ""
    return str(parameters[min(index, len(parameters) - 1)].type_str)


def _number(value: Any) -> int:
    """0 for what a damaged file gives instead of one."""
    return value if isinstance(value, int) else 0


def _constant(node: Any) -> int:
    if any(one.name in ("value_float", "value_floats") for one in node.attribute):
        return FLOAT
    if any(one.name in ("value_int", "value_ints") for one in node.attribute):
        return NUMBERS["int64"]
    value = next((one for one in node.attribute if one.name == "value"), None)
    return int(value.t.data_type) if value is not None else FLOAT if node.op_type == "ConstantOfShape" else 0
