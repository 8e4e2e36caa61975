"""Bad models: versions and operators."""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto, TensorProto, helper

from fixtures import models as good

from .table import add_node, bad, edited, product

edited("ir-version-missing", "MB213", lambda m: m.ClearField("ir_version"))
edited("ir-version-999", "MB213", lambda m: setattr(m, "ir_version", 999))
edited("ir-version-negative", "MB213", lambda m: setattr(m, "ir_version", -1))
edited("no-opset-import", "MB215", lambda m: m.ClearField("opset_import"))
edited("opset-99", "MB216", lambda m: setattr(m.opset_import[0], "version", 99))
edited("opset-0", "MB216", lambda m: setattr(m.opset_import[0], "version", 0))
edited("opset-2-40", "MB216", lambda m: setattr(m.opset_import[0], "version", 1 << 40))
edited("output-without-a-type", "MB240", lambda m: m.graph.output[0].ClearField("type"))
edited("output-of-no-element-type", "MB240", lambda m: m.graph.output[0].type.tensor_type.ClearField("elem_type"))
edited("opset-in-two-versions", "MB216", lambda m: m.opset_import.add(domain="", version=12))
edited("opset-alias-in-two-versions", "MB216", lambda m: m.opset_import.add(domain="ai.onnx", version=12))
edited("domain-not-imported", "MB215", add_node("Gelu", ["m"], ["g"], domain="com.microsoft"))
edited("standard-domain-not-imported", "MB215", lambda m: setattr(m.opset_import[0], "domain", "com.microsoft"))
edited("unknown-operator", "MB218", add_node("Convolve", ["m"], ["g"]))
edited("operator-of-a-later-opset", "MB218", add_node("Gelu", ["m"], ["g"]))
edited("operator-taken-out", "MB218", add_node("Upsample", ["m", "x"], ["g"], mode="nearest"))
edited("operator-without-a-type", "MB218", add_node("", ["m"], ["g"]))


def _custom(model: ModelProto) -> None:
    model.opset_import.add(domain="com.example", version=1)
    add_node("Magic", ["m"], ["g"], name="magic", domain="com.example")(model)


def _hardware(model: ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft.nchwc", version=1)
    add_node("ReorderInput", ["m"], ["g"], domain="com.microsoft.nchwc")(model)


def _unknown_contrib(model: ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)
    add_node("NoSuchFusion", ["m"], ["g"], domain="com.microsoft")(model)


edited("custom-operator", "MB219", _custom)
edited("contrib-operator-that-is-none", "MB219", _unknown_contrib)
edited("hardware-operator", "MB220", _hardware)
edited("float4-weight", "MB236", lambda m: None, lambda: _plain_weight(TensorProto.FLOAT4E2M1, 8))
edited("int2-weight", "MB236", lambda m: None, lambda: _plain_weight(TensorProto.INT2, 4))
edited("float4-value", "MB236", lambda m: m.graph.value_info.append(good.port("m", None, TensorProto.FLOAT4E2M1)))


def _plain_weight(dtype: int, size: int) -> ModelProto:
    model = product()
    model.graph.initializer.append(TensorProto(name="odd", data_type=dtype, dims=[16], raw_data=bytes(size)))
    return model


@bad("MB217")
def opset_that_cannot_be_lowered(folder: Path) -> str:
    """TensorScatter came with opset 24: there is nothing to lower it to."""
    nodes = [helper.make_node("TensorScatter", ["a", "b"], ["y"], name="scatter")]
    inputs = [good.port("a", [1, 8, 4]), good.port("b", [1, 2, 4])]
    model = good.make(nodes, inputs, [good.port("y", [1, 8, 4])], opset=24, ir=10)
    return good.save(model, folder / "model.onnx")


@bad("MB217")
def opset_that_cannot_be_raised(folder: Path) -> str:
    nodes = [helper.make_node("RNN", ["x", "w", "r"], ["", "y"], hidden_size=4, output_sequence=1)]
    inputs = [good.port("x", [1, 1, 4]), good.port("w", [1, 4, 4]), good.port("r", [1, 4, 4])]
    return good.save(good.make(nodes, inputs, [good.port("y", [1, 1, 4])], opset=1), folder / "model.onnx")
