"""Reading good models, however odd: what is accepted, what becomes of it, and that it still computes the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from bundler.errors import InputError
from bundler.graph.model import INLINE_BELOW
from bundler.graph.read import ReadPolicy, read_model, read_result
from fixtures import models as good

from .graph_helpers import agree, read, run_file

Feeds = dict[str, Any]


def _x(*shape: int) -> Feeds:
    return {"x": good.noise(9, *shape)}


def _flag(value: bool) -> Feeds:
    return {"flag": np.array(value), **_x(32, 32)}


ODD: dict[str, tuple[Callable[[], ModelProto], Feeds, int]] = {
    "mlp": (good.mlp, _x(3, 64), 2),
    "conv": (good.conv_net, {"image": good.noise(9, 2, 3, 32, 32)}, 2),
    "constants": (good.constant_weights, _x(16, 32), 2),
    "if-then": (good.if_model, _flag(True), 3),
    "if-else": (good.if_model, _flag(False), 3),
    "loop": (good.loop_model, {"steps": np.array(3, np.int64), **_x(2, 32)}, 1),
    "scan": (good.scan_model, _x(5, 32), 1),
    "function": (good.function_model, _x(4, 32), 1),
    "function-with-weight": (lambda: good.function_model(weight_inside=True), _x(4, 32), 2),
    "tied": (good.tied_model, {"ids": np.array([1, 5, 7])}, 1),
    "sparse": (good.sparse_model, _x(2, 64), 1),
    "bfloat16": (lambda: good.cast_model(TensorProto.BFLOAT16), _x(1), 1),
    "float8": (lambda: good.cast_model(TensorProto.FLOAT8E4M3FN), _x(1), 1),
    "int4": (lambda: good.cast_model(TensorProto.INT4), _x(1), 1),
    "ir-3": (lambda: _listed(good.mlp(ir=3)), _x(3, 64), 2),
    "opset-24": (lambda: good.mlp(opset=24, ir=12), _x(3, 64), 2),
    "shuffled": (lambda: _shuffled(good.mlp(layers=4)), _x(3, 64), 4),
    "typed-data": (lambda: _typed(good.mlp()), _x(3, 64), 2),
}


def _listed(model: ModelProto) -> ModelProto:
    """Initializers listed as inputs, as IR 3 demands."""
    for weight in model.graph.initializer:
        model.graph.input.append(good.port(weight.name, list(weight.dims)))
    return model


def _old(model: ModelProto) -> ModelProto:
    """Opset 6 broadcasts only where a node says so; onnx's converter asks for fixed sizes there."""
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 3
    for node in model.graph.node:
        if node.op_type == "Add":
            node.attribute.append(helper.make_attribute("broadcast", 1))
    return model


def _shuffled(model: ModelProto) -> ModelProto:
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes[::-1])
    return model


def _typed(model: ModelProto) -> ModelProto:
    """Weights in float_data, in place of raw_data."""
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight).ravel().tolist()
        weight.ClearField("raw_data")
        weight.float_data.extend(values)
    return model


@pytest.mark.parametrize("name", sorted(ODD))
def test_an_odd_but_legal_model_computes_the_same(name: str, tmp_path: Path) -> None:
    build, feeds, weights = ODD[name]
    path = good.save(build(), tmp_path / "model.onnx")
    result = read(path)
    assert len(result.model.weights) == weights
    assert all(weight.region.length >= INLINE_BELOW for weight in result.model.weights)
    agree(path, result.model, feeds)


def test_the_same_model_gives_the_same_skeleton_wherever_its_weights_lie(tmp_path: Path) -> None:
    model = good.decoder()
    (tmp_path / "other").mkdir()
    inline = read(good.save(model, tmp_path / "model.onnx")).model
    typed = read(good.save(_typed(good.decoder()), tmp_path / "typed.onnx")).model
    outside = read(good.save_external(model, tmp_path / "other" / "name.onnx", "sub/w.bin", least=1)).model
    assert inline.skeleton == outside.skeleton == typed.skeleton
    assert [(w.name, w.shape, w.dtype) for w in inline.weights] == [(w.name, w.shape, w.dtype) for w in outside.weights]
    assert inline.signature == outside.signature


def test_weights_come_in_declaration_order_and_point_into_the_file(tmp_path: Path) -> None:
    path = good.save(good.mlp(), tmp_path / "model.onnx")
    result = read(path)
    assert [weight.name for weight in result.model.weights] == ["w0", "w1"]
    assert result.files == (os.path.realpath(path),)
    data = Path(path).read_bytes()
    for index, weight in enumerate(result.model.weights):
        raw = data[weight.region.offset : weight.region.offset + weight.region.length]
        assert raw == good.noise(2 * index, 64, 64).tobytes()


def test_a_hub_cache_of_symbolic_links_is_read(tmp_path: Path) -> None:
    path = good.save_in_hub_cache(good.mlp(), tmp_path / "hub")
    result = read(path, root=str(tmp_path / "elsewhere"))
    assert all("/blobs/" in file for file in result.files)
    assert len(result.files) == 2


def test_hard_links_are_read(tmp_path: Path) -> None:
    path = good.save_external(good.mlp(), tmp_path / "model.onnx")
    os.link(tmp_path / "weights.bin", tmp_path / "twin.bin")
    agree_feeds = _x(3, 64)
    assert run_file(path, agree_feeds)
    agree(path, read(path).model, agree_feeds)


def test_a_symbolic_link_out_of_the_project_needs_leave(tmp_path: Path) -> None:
    store, project = tmp_path / "store", tmp_path / "project"
    store.mkdir()
    project.mkdir()
    path = good.save_external(good.mlp(), project / "model.onnx")
    os.rename(project / "weights.bin", store / "blob")
    os.symlink(store / "blob", project / "weights.bin")
    with pytest.raises(InputError) as caught:
        read(path, root=str(project))
    assert caught.value.problems[0].code == "MB253"
    assert read(path, root=str(project), allow=(str(store),)).files[1] == str(store / "blob")


def test_a_linked_model_finds_its_data_beside_its_real_file(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    path = good.save_external(good.mlp(), tmp_path / "store" / "model.onnx")
    os.symlink(path, tmp_path / "model.onnx")
    assert read(str(tmp_path / "model.onnx")).files == (path, str(tmp_path / "store" / "weights.bin"))


def test_an_opset_that_no_runtime_promises_is_raised(tmp_path: Path) -> None:
    """onnxruntime has no Add of opset 6; the converted model computes what the same one in opset 17 does."""
    result = read(good.save(_listed(_old(good.mlp(opset=6, ir=3))), tmp_path / "old.onnx"))
    assert result.model.opsets == (("", 7),)
    assert [port.name for port in result.model.signature.inputs] == ["x"]
    agree(good.save(good.mlp(), tmp_path / "new.onnx"), result.model, _x(3, 64))


def test_notes_say_what_was_mended(tmp_path: Path) -> None:
    notes = read(good.save(_shuffled(good.mlp(opset=24, ir=12)), tmp_path / "model.onnx")).notes
    assert "sorted the nodes" in notes[0]
    assert any("opset 24" in note for note in notes)
    assert any("IR version" in note for note in notes)


def test_versions_are_kept_when_they_fit(tmp_path: Path) -> None:
    model = read(good.save(good.mlp(opset=15, ir=7), tmp_path / "model.onnx")).model
    assert (model.ir_version, model.opsets) == (7, (("", 15),))


def test_imports_that_no_node_uses_do_not_count(tmp_path: Path) -> None:
    proto = good.mlp()
    for domain in ("ai.onnx.ml", "com.microsoft.nchwc", "org.pytorch.aten"):
        proto.opset_import.add(domain=domain, version=99)
    assert read(good.save(proto, tmp_path / "model.onnx")).model.opsets == (("", 17),)


def test_a_custom_operator_may_be_brought_by_the_app(tmp_path: Path) -> None:
    proto = good.mlp()
    proto.opset_import.add(domain="com.example", version=1)
    proto.graph.node.append(helper.make_node("Magic", ["y"], ["z"], domain="com.example"))
    path = good.save(proto, tmp_path / "model.onnx")
    for allowed in ("com.example::Magic", "com.example::*"):
        assert ("com.example::Magic", 1) in read(path, external_ops=(allowed,)).model.ops


def test_the_signature_leaves_initializers_out(tmp_path: Path) -> None:
    proto = good.mlp()
    proto.graph.input.append(good.port("w0", [64, 64]))
    proto.graph.input[0].type.tensor_type.shape.dim.add(dim_value=-1)
    proto.graph.input[0].type.tensor_type.shape.dim.add()
    signature = read(good.save(proto, tmp_path / "model.onnx")).model.signature
    (port,) = signature.inputs
    assert (port.name, port.dtype, port.shape) == ("x", "float32", ("batch", 64, None, None))


def test_an_unknown_rank_is_not_a_scalar(tmp_path: Path) -> None:
    proto = good.mlp()
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    assert read(good.save(proto, tmp_path / "model.onnx")).model.signature.outputs[0].shape is None


def test_a_graph_needs_no_name(tmp_path: Path) -> None:
    proto = good.mlp()
    proto.graph.name = ""
    path = good.save(proto, tmp_path / "model.onnx")
    agree(path, read(path).model, _x(3, 64))


def test_trailing_empty_inputs_go(tmp_path: Path) -> None:
    """LayerNormalization(x, scale, "") is valid and crashes onnxruntime when it optimises."""
    proto = good.make(
        [helper.make_node("LayerNormalization", ["x", "s", ""], ["y"])],
        [good.port("x", [2, 8])],
        [good.port("y", [2, 8])],
        [good.tensor("s", good.noise(0, 8))],
    )
    model = read(good.save(proto, tmp_path / "model.onnx")).model
    assert list(onnx.load_from_string(model.skeleton).graph.node[0].input) == ["x", "s"]


def test_required_empty_inputs_stay(tmp_path: Path) -> None:
    model = read(good.save(good.loop_model(), tmp_path / "model.onnx")).model
    assert list(onnx.load_from_string(model.skeleton).graph.node[0].input) == ["steps", "", "x"]


def test_a_library_result_is_read_from_its_own_folder_only(tmp_path: Path) -> None:
    path = good.save_external(good.mlp(), tmp_path / "model.onnx")
    assert len(read_result(path, str(tmp_path)).weights) == 2


def test_strings_stay_in_the_graph(tmp_path: Path) -> None:
    proto = good.mlp()
    proto.graph.initializer.append(TensorProto(name="words", data_type=8, dims=[500], string_data=[b"word"] * 500))
    assert len(read(good.save(proto, tmp_path / "model.onnx")).model.weights) == 2


def test_a_spoofed_reference_is_a_file_name(tmp_path: Path) -> None:
    """A file cannot name a range of itself in the way that the scanner does."""
    proto = good.mlp()
    good.refer(proto.graph.initializer[0], "#0")
    with pytest.raises(InputError) as caught:
        read(good.save(proto, tmp_path / "model.onnx"))
    assert caught.value.problems[0].code == "MB252"


def test_many_faults_are_told_at_once(tmp_path: Path) -> None:
    proto = good.mlp(layers=20)
    for weight in proto.graph.initializer:
        weight.raw_data += b"\0"
    with pytest.raises(InputError) as caught:
        read_model(good.save(proto, tmp_path / "model.onnx"), ReadPolicy(str(tmp_path), str(tmp_path)))
    assert len(caught.value.problems) == 10
