"""Models that must be refused, each with the code that must say so: `BAD[name] = (builder, code)`.

A builder writes what it needs into the folder that it is given (the project's root) and returns the path of the
model. Nothing here may hang a reader that opens only what it should.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, TensorProto, helper

from fixtures import models as good

Builder = Callable[[Path], str]
BAD: dict[str, tuple[Builder, str]] = {}

WIDTH = 32
BYTES = WIDTH * WIDTH * 4


def bad(code: str) -> Callable[[Builder], Builder]:
    def register(builder: Builder) -> Builder:
        BAD[builder.__name__.replace("_", "-")] = builder, code
        return builder

    return register


def edited(
    name: str, code: str, edit: Callable[[ModelProto], object], base: Callable[[], ModelProto] | None = None
) -> None:
    """Registers a good model (a matrix product, see `product`) after `edit`."""

    def builder(folder: Path) -> str:
        model = (base or product)()
        edit(model)
        return good.save(model, folder / "model.onnx")

    BAD[name] = builder, code


def raw_file(name: str, code: str, data: bytes, file: str = "model.onnx") -> None:
    def builder(folder: Path) -> str:
        (folder / file).write_bytes(data)
        return str(folder / file)

    BAD[name] = builder, code


def external(
    name: str, code: str, *, prepare: Callable[[Path], object] = lambda folder: None, **entries: object
) -> None:
    """Registers `product` whose weight has these external_data entries; `weights.bin` holds the right bytes."""

    def builder(folder: Path) -> str:
        (folder / "weights.bin").write_bytes(good.noise(0, WIDTH, WIDTH).tobytes())
        prepare(folder)
        model = product()
        weight = good.refer(model.graph.initializer[0], "weights.bin")
        del weight.external_data[:]
        for key, value in entries.items():
            weight.external_data.add(key=key, value=str(value))
        return good.save(model, folder / "model.onnx")

    BAD[name] = builder, code


def product() -> ModelProto:
    """x [2, 32] times w -> m; Relu -> y."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], name="product"),
        helper.make_node("Relu", ["m"], ["y"], name="relu"),
    ]
    ports = [good.port("x", [2, WIDTH])], [good.port("y", [2, WIDTH])]
    return good.make(nodes, *ports, [good.tensor("w", good.noise(0, WIDTH, WIDTH))])


def add_node(*args: object, **attributes: object) -> Callable[[ModelProto], object]:
    return lambda model: model.graph.node.append(helper.make_node(*args, **attributes))


def field(number: int, payload: bytes) -> bytes:
    """One length-delimited protobuf field with an honest length."""
    size, out = len(payload), bytearray([number << 3 | 2])
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes(out) + bytes([size]) + payload


# --- not a model at all -------------------------------------------------------------------------------------------


@bad("MB201")
def file_missing(folder: Path) -> str:
    return str(folder / "nowhere.onnx")


@bad("MB201")
def link_to_nowhere(folder: Path) -> str:
    (folder / "model.onnx").symlink_to(folder / "gone.onnx")
    return str(folder / "model.onnx")


@bad("MB202")
def folder_named_as_a_model(folder: Path) -> str:
    (folder / "model.onnx").mkdir()
    return str(folder / "model.onnx")


@bad("MB202")
def fifo(folder: Path) -> str:
    os.mkfifo(folder / "model.onnx")
    return str(folder / "model.onnx")


@bad("MB202")
def link_to_a_device(folder: Path) -> str:
    (folder / "model.onnx").symlink_to("/dev/zero")
    return str(folder / "model.onnx")


@bad("MB207")
def zip_archive(folder: Path) -> str:
    with zipfile.ZipFile(folder / "model.onnx", "w") as archive:
        archive.writestr("archive/data.pkl", b"weights")
    return str(folder / "model.onnx")


_HEADER = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()

raw_file("empty-file", "MB204", b"")
raw_file("html-page", "MB205", b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>")
raw_file("html-page-after-a-bom", "MB205", b"\xef\xbb\xbf  <HTML lang=en><head></head></HTML>")
raw_file(
    "lfs-pointer", "MB206", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 90\n"
)
raw_file("safetensors", "MB207", len(_HEADER).to_bytes(8, "little") + _HEADER + bytes(16))
raw_file("tflite", "MB207", b"\x1c\0\0\0TFL3" + bytes(200))
raw_file("ort-format", "MB207", b"\x20\0\0\0ORTM" + bytes(200))
raw_file("json", "MB207", b'{"irVersion": 8, "graph": {"node": []}}')
raw_file("pickle", "MB207", pickle.dumps({"weight": [1.0, 2.0]}))
raw_file("hdf5", "MB207", b"\x89HDF\r\n\x1a\n" + bytes(100))
raw_file("gzip", "MB207", gzip.compress(b"\x08\x08" * 100))
raw_file("gguf", "MB207", b"GGUF\x03\0\0\0" + bytes(100))
raw_file("numpy", "MB207", b"\x93NUMPY\x01\0v\0{'descr': '<f4'}")
raw_file("xml", "MB207", b"<?xml version='1.0'?><net name='m'></net>")
raw_file("plain-text", "MB207", b"Please log in to download this model.\n")
raw_file("text-proto", "MB207", b'ir_version: 8\ngraph {\n  name: "g"\n}\n')

# --- broken protobuf ----------------------------------------------------------------------------------------------

raw_file("random-bytes", "MB209", np.random.default_rng(7).bytes(4096))
raw_file("overlong-number", "MB209", b"\x08" + b"\xff" * 11 + b"\x01")
raw_file("number-over-64-bits", "MB209", b"\x08" + b"\xff" * 9 + b"\x7f")
raw_file("field-zero", "MB209", b"\x00\x01" * 40)
raw_file("wire-type-7", "MB209", b"\x0f\x01")
raw_file("length-of-2-gib", "MB208", b"\x08\x08\x3a\xff\xff\xff\xff\x07" + bytes(64))
raw_file("length-of-2-63", "MB208", b"\x08\x08\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64))
raw_file("number-cut-off", "MB208", b"\x08\x88")
raw_file("no-graph", "MB212", b"\x08\x08\x12\x04tool")
raw_file("zero-bytes", "MB209", bytes(5000))


@bad("MB208")
def truncated_in_the_weights(folder: Path) -> str:
    path = Path(good.save(product(), folder / "model.onnx"))
    path.write_bytes(path.read_bytes()[:-2000])
    return str(path)


@bad("MB208")
def truncated_by_a_byte(folder: Path) -> str:
    path = Path(good.save(good.conv_net(), folder / "model.onnx"))
    path.write_bytes(path.read_bytes()[:-1])
    return str(path)


@bad("MB210")
def nested_too_deep(folder: Path) -> str:
    graph = field(2, b"innermost")
    for _ in range(1000):
        graph = field(2, b"g") + field(1, field(5, field(1, b"body") + field(6, graph)))
    return str(_write(folder, b"\x08\x08" + field(7, graph)))


@bad("MB210")
def nested_too_deep_but_small(folder: Path) -> str:
    graph = b""
    for _ in range(60):
        graph = field(1, field(5, field(6, graph)))
    return str(_write(folder, b"\x08\x08" + field(7, graph)))


def _write(folder: Path, data: bytes) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(data)
    return path


# --- versions and operators ---------------------------------------------------------------------------------------

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


# --- names and structure ------------------------------------------------------------------------------------------


def _replaced(name: str, code: str, old: bytes, new: bytes) -> None:
    """Registers `product` with bytes exchanged in the file: what protobuf's own setters would not let through."""

    def builder(folder: Path) -> str:
        data = product().SerializeToString()
        assert old in data
        return str(_write(folder, data.replace(old, new)))

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

# --- nested graphs and functions ----------------------------------------------------------------------------------


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

# --- tensors ------------------------------------------------------------------------------------------------------


def weight(name: str, code: str, edit: Callable[[TensorProto], object]) -> None:
    edited(name, code, lambda model: edit(model.graph.initializer[0]))


def extra(name: str, code: str, **fields: object) -> None:
    """Registers `product` with one more initializer of these fields."""
    edited(name, code, lambda model: model.graph.initializer.append(TensorProto(name="extra", **fields)))


weight("raw-data-short", "MB232", lambda t: setattr(t, "raw_data", t.raw_data[:-4]))
weight("raw-data-long", "MB232", lambda t: setattr(t, "raw_data", t.raw_data + bytes(4)))
weight(
    "raw-data-of-small-tensor-long",
    "MB232",
    lambda t: t.CopyFrom(TensorProto(name="w", data_type=1, dims=[2], raw_data=bytes(9))),
)
weight("negative-dimension", "MB230", lambda t: t.dims.__setitem__(0, -32))
weight("dimensions-overflow", "MB230", lambda t: t.dims.extend([1 << 40, 1 << 40]))
weight("dimension-of-2-63", "MB230", lambda t: t.dims.__setitem__(0, (1 << 63) - 1))
weight("data-type-77", "MB231", lambda t: setattr(t, "data_type", 77))
weight("data-type-missing", "MB231", lambda t: t.ClearField("data_type"))
weight("no-data", "MB233", lambda t: t.ClearField("raw_data"))
weight("data-twice", "MB233", lambda t: t.float_data.extend([0.0] * WIDTH * WIDTH))
weight(
    "data-inside-and-outside",
    "MB233",
    lambda t: t.MergeFrom(good.refer(TensorProto(), "w.bin")),
)
weight("external-entries-but-inside", "MB233", lambda t: t.external_data.add(key="location", value="w.bin"))
extra("float-data-short", "MB232", data_type=1, dims=[300], float_data=[0.0] * 299)
extra("int64-data-long", "MB232", data_type=7, dims=[300], int64_data=range(301))
extra("data-in-the-wrong-field", "MB231", data_type=7, dims=[3], float_data=[1.0, 2.0, 3.0])
extra("text-in-raw-data", "MB231", data_type=8, dims=[3], raw_data=b"abc")
extra("text-of-wrong-count", "MB232", data_type=8, dims=[3], string_data=[b"a"])
extra("data-without-elements", "MB232", data_type=1, dims=[0, 4], raw_data=bytes(16))
extra("int4-of-wrong-size", "MB232", data_type=TensorProto.INT4, dims=[5], raw_data=bytes(2))
extra("text-outside", "MB231", data_type=8, dims=[1], data_location=1)
extra("uint8-values-short", "MB232", data_type=2, dims=[3000], int32_data=[1] * 2000)
edited("value-of-unknown-type", "MB231", lambda m: m.graph.value_info.append(good.port("m", None, 77)))


def _sparse(edit: Callable[[onnx.SparseTensorProto], object]) -> Callable[[ModelProto], object]:
    return lambda model: edit(model.graph.sparse_initializer[0])


def _indices(*values: int) -> Callable[[onnx.SparseTensorProto], object]:
    def edit(sparse: onnx.SparseTensorProto) -> None:
        sparse.values.CopyFrom(good.tensor("w", good.noise(0, len(values))))
        sparse.indices.CopyFrom(good.tensor("at", np.array(values, np.int64)))

    return edit


edited("sparse-index-out-of-range", "MB234", _sparse(_indices(1, 64 * 64)), good.sparse_model)
edited("sparse-index-negative", "MB234", _sparse(_indices(-1, 5)), good.sparse_model)
edited("sparse-indices-out-of-order", "MB234", _sparse(_indices(9, 3)), good.sparse_model)
edited("sparse-index-twice", "MB234", _sparse(_indices(3, 3)), good.sparse_model)
edited(
    "sparse-counts-differ",
    "MB234",
    _sparse(lambda s: s.values.CopyFrom(good.tensor("w", good.noise(0, 3)))),
    good.sparse_model,
)
edited("sparse-too-large", "MB235", _sparse(lambda s: s.dims.__setitem__(0, 1 << 40)), good.sparse_model)
edited("sparse-negative-dimension", "MB230", _sparse(lambda s: s.dims.__setitem__(0, -64)), good.sparse_model)
edited("sparse-values-short", "MB232", _sparse(lambda s: s.values.dims.__setitem__(0, 201)), good.sparse_model)

# --- external data ------------------------------------------------------------------------------------------------

external("external-no-location", "MB250", offset=0)
external("external-empty-location", "MB250", location="")
external("external-missing", "MB252", location="gone.bin")
external("external-missing-folder", "MB252", location="sub/weights.bin")
external("external-climbs-out", "MB251", location="../weights.bin")
external("external-climbs-out-and-back", "MB251", location="sub/../../weights.bin")
external("external-climbs-with-backslashes", "MB251", location="..\\weights.bin")
external("external-absolute", "MB251", location="/etc/passwd")
external("external-device", "MB251", location="/dev/zero")
external("external-drive-letter", "MB251", location="C:\\weights.bin")
external("external-url", "MB251", location="file:///etc/passwd")
external("external-home", "MB251", location="~/weights.bin")
external("external-nul", "MB251", location="weights.bin\0.txt")
external("external-memory-address", "MB251", location="*/_ORT_MEM_ADDR_/*", offset=4096, length=BYTES)
external(
    "external-link-out", "MB253", location="link.bin", prepare=lambda f: (f / "link.bin").symlink_to("/etc/passwd")
)
external(
    "external-link-to-a-device",
    "MB253",
    location="link.bin",
    prepare=lambda f: (f / "link.bin").symlink_to("/dev/zero"),
)
external("external-linked-folder", "MB253", location="etc/passwd", prepare=lambda f: (f / "etc").symlink_to("/etc"))
external("external-link-loop", "MB258", location="loop", prepare=lambda f: (f / "loop").symlink_to("loop"))
external("external-dangling-link", "MB252", location="link", prepare=lambda f: (f / "link").symlink_to("gone"))
external("external-fifo", "MB254", location="pipe", prepare=lambda f: os.mkfifo(f / "pipe"))
external("external-folder", "MB254", location="sub", prepare=lambda f: (f / "sub").mkdir())
external("external-itself", "MB255", location="model.onnx")
external("external-name-too-long", "MB258", location="a" * 300)
external("external-offset-past-end", "MB256", location="weights.bin", offset=BYTES + 1)
external("external-offset-just-past", "MB256", location="weights.bin", offset=1, length=BYTES)
external("external-offset-negative", "MB256", location="weights.bin", offset=-1)
external("external-offset-2-63", "MB256", location="weights.bin", offset=1 << 63)
external("external-offset-text", "MB256", location="weights.bin", offset="abc")
external("external-offset-hex", "MB256", location="weights.bin", offset="0x10")
external("external-length-negative", "MB256", location="weights.bin", length=-5)
external("external-length-text", "MB256", location="weights.bin", length="all")
external("external-length-past-end", "MB256", location="weights.bin", length=BYTES + 4)
external("external-length-short", "MB257", location="weights.bin", length=BYTES - 4)
external("external-length-zero", "MB257", location="weights.bin", length=0)
external("external-file-short", "MB256", location="weights.bin", prepare=lambda f: os.truncate(f / "weights.bin", 100))
external("external-file-empty", "MB256", location="weights.bin", prepare=lambda f: os.truncate(f / "weights.bin", 0))


@bad("MB255")
def external_itself_by_hard_link(folder: Path) -> str:
    model = product()
    good.refer(model.graph.initializer[0], "twin.bin")
    path = good.save(model, folder / "model.onnx")
    os.link(path, folder / "twin.bin")
    return path


@bad("MB257")
def external_too_long_for_its_shape(folder: Path) -> str:
    path = folder / "weights.bin"
    path.write_bytes(bytes(2 * BYTES))
    model = product()
    good.refer(model.graph.initializer[0], "weights.bin", 0, 2 * BYTES)
    return good.save(model, folder / "model.onnx")


@bad("MB250")
def external_location_twice(folder: Path) -> str:
    model = product()
    good.refer(model.graph.initializer[0], "a.bin").external_data.add(key="location", value="b.bin")
    return good.save(model, folder / "model.onnx")


# --- what only a gate sees ----------------------------------------------------------------------------------------

edited(
    "gate-stride-zero",
    "MB261",
    lambda m: m.graph.node[0].attribute.add(name="strides", type=7, ints=[0, 0]),
    good.conv_net,
)
edited(
    "gate-shapes-do-not-fit",
    "MB263",
    lambda m: m.graph.initializer[0].CopyFrom(good.tensor("w", good.noise(0, 31, 32))),
)
edited(
    "gate-types-do-not-fit",
    "MB263",
    lambda m: m.graph.initializer[0].CopyFrom(good.tensor("w", good.noise(0, 32, 32).astype(np.float64))),
)
edited("gate-too-many-inputs", "MB260", lambda m: m.graph.node[1].input.extend(["x", "w"]))
edited(
    "gate-attribute-of-wrong-type",
    "MB260",
    lambda m: m.graph.node.append(helper.make_node("Softmax", ["m"], ["s"], axis="one")),
)
edited(
    "gate-unknown-attribute", "MB260", lambda m: m.graph.node.append(helper.make_node("Softmax", ["m"], ["s"], speed=9))
)
edited("gate-required-attribute-missing", "MB260", add_node("Cast", ["m"], ["c"]))
edited("gate-no-kernel", "MB262", lambda m: None, lambda: _complex())


def _complex() -> ModelProto:
    """Identity takes complex numbers by its schema; no runtime has such tensors."""
    nodes = [helper.make_node("Identity", ["x"], ["y"], name="copy")]
    return good.make(nodes, [good.port("x", [2], TensorProto.COMPLEX64)], [good.port("y", [2], TensorProto.COMPLEX64)])
