"""Bad models: names and structure."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import AttributeProto, ModelProto, TensorProto, helper

from fixtures import models as good

from .table import BAD, add_node, edited, product, write


def _replaced(name: str, code: str, old: bytes, new: bytes) -> None:
    """Registers `product` with bytes exchanged in the file: what protobuf's own setters would not let through."""

    def builder(folder: Path) -> str:
        data = product().SerializeToString()
        assert old in data
        return str(write(folder, data.replace(old, new)))

    BAD[name] = builder, code


_replaced("node-name-not-utf8", "MB221", b"product", b"pr\xff\xfeuct")
_replaced("value-name-not-utf8", "MB221", b"\x0a\x01m", b"\x0a\x01\xff")
_replaced("operator-not-utf8", "MB221", b"Relu", b"Re\xff\xfe")
_replaced("initializer-name-not-utf8", "MB221", b"B\x01w", b"B\x01\xf0")
_replaced("input-name-not-utf8", "MB221", b"Z\x13\n\x01x", b"Z\x13\n\x01\xc0")

edited(
    "initializer-without-a-name", "MB222", lambda m: m.graph.initializer.add(data_type=1, dims=[1], raw_data=bytes(4))
)
edited("input-without-a-name", "MB222", lambda m: m.graph.input.append(good.port("", [1])))
edited("output-without-a-name", "MB222", lambda m: m.graph.output.append(good.port("", [1])))
edited("two-initializers-of-one-name", "MB223", lambda m: m.graph.initializer.append(m.graph.initializer[0]))
edited("two-inputs-of-one-name", "MB224", lambda m: m.graph.input.append(m.graph.input[0]))
edited("two-outputs-of-one-name", "MB224", lambda m: m.graph.output.append(m.graph.output[0]))
edited("value-made-twice", "MB224", add_node("Abs", ["x"], ["m"]))
edited("node-overwrites-an-initializer", "MB224", add_node("Abs", ["x"], ["w"]))
edited("node-overwrites-an-input", "MB224", add_node("Abs", ["m"], ["x"]))
edited("node-makes-one-name-twice", "MB224", add_node("Split", ["x"], ["s", "s"]))
edited("node-that-reads-itself", "MB225", lambda m: m.graph.node[0].input.__setitem__(0, "m"))
edited("cycle-of-two", "MB225", lambda m: m.graph.node[0].input.__setitem__(0, "y"))
edited("missing-input", "MB226", lambda m: m.graph.node[0].input.__setitem__(0, "ghost"))
edited("missing-initializer", "MB226", lambda m: m.graph.ClearField("initializer"))
edited("no-outputs", "MB227", lambda m: m.graph.ClearField("output"))
edited("output-that-nothing-makes", "MB228", lambda m: m.graph.output.append(good.port("ghost", [1])))
edited("no-nodes", "MB229", lambda m: m.graph.ClearField("node"))
edited("empty-graph", "MB229", lambda m: m.graph.CopyFrom(onnx.GraphProto(name="empty")))
edited("input-without-a-type", "MB240", lambda m: m.graph.input[0].ClearField("type"))


def _sequence(model: ModelProto) -> None:
    add_node("SequenceConstruct", ["m", "m"], ["s"])(model)
    model.graph.output.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None))


def _optional(model: ModelProto) -> None:
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [1]))
    model.graph.input.append(helper.make_value_info("o", kind))


edited("output-is-a-sequence", "MB243", _sequence)
edited("input-is-optional", "MB243", _optional)
BAD["attribute-twice"] = (
    lambda folder: good.save(_with_attributes("axis", "axis"), folder / "model.onnx"),
    "MB241",
)
BAD["attribute-without-a-name"] = (lambda folder: good.save(_with_attributes(""), folder / "model.onnx"), "MB241")


def _with_attributes(*names: str) -> ModelProto:
    model = product()
    node = model.graph.node.add(op_type="Softmax", input=["m"], output=["s"], name="soft")
    for name in names:
        node.attribute.add(name=name, type=AttributeProto.INT, i=1)
    return model


def _reference(model: ModelProto) -> None:
    node = model.graph.node.add(op_type="Softmax", input=["m"], output=["s"])
    node.attribute.add(name="axis", type=AttributeProto.INT, ref_attr_name="axis")


edited("attribute-reference-outside-a-function", "MB241", _reference)
