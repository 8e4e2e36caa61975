"""Writing: graph files, private copies, sessions in place, and the way through onnx-ir and back."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import pytest

from bundler.errors import InputError
from bundler.graph import write
from bundler.graph.session import open_session
from bundler.graph.splice import pieces, size_of
from bundler.graph.view import from_ir, to_ir
from bundler.graph.write import graph_file, private_copy
from fixtures import models as good

from .graph_helpers import agree, read, run_file

FEEDS = {"x": good.noise(9, 3, 64)}


def test_a_graph_file_names_the_places_that_it_was_given(tmp_path: Path) -> None:
    model = read(good.save(good.mlp(), tmp_path / "model.onnx")).model
    data = graph_file(model, [("weights-0", 64), None])
    assert data == graph_file(model, [("weights-0", 64), None])
    first, second = (t for t in onnx.load_from_string(data).graph.initializer if t.name in ("w0", "w1"))
    entries = {entry.key: entry.value for entry in first.external_data}
    assert entries == {"location": "weights-0", "offset": "64", "length": str(64 * 64 * 4)}
    assert second.raw_data == good.noise(2, 64, 64).tobytes()


def test_a_graph_file_is_what_protobuf_would_write(tmp_path: Path) -> None:
    model = read(good.save(good.if_model(), tmp_path / "model.onnx")).model
    for places in ([None] * 3, [("w", 0), ("w", 4096), ("w", 8192)]):
        data = graph_file(model, places)
        assert onnx.load_from_string(data).SerializeToString(deterministic=True) == data


def test_a_place_for_each_weight(tmp_path: Path) -> None:
    model = read(good.save(good.mlp(), tmp_path / "model.onnx")).model
    with pytest.raises(ValueError, match="0 places for 2 weights"):
        graph_file(model, [])


def test_a_private_copy_of_an_untouched_source_is_the_source(tmp_path: Path) -> None:
    path = good.save(good.mlp(), tmp_path / "model.onnx")
    assert private_copy(read(path).model, str(tmp_path)) == path


def test_a_private_copy_of_external_data_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    path = good.save_external(good.mlp(), tmp_path / "model.onnx")
    copy = private_copy(read(path).model, str(tmp_path / "copy"))
    assert Path(copy).read_bytes() == good.mlp().SerializeToString()
    assert os.listdir(tmp_path / "copy") == ["model.onnx"]


def test_a_private_copy_above_the_limit_has_its_data_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "MAX_INLINE", 20_000)
    (tmp_path / "copy").mkdir()
    path = good.save_external(good.mlp(), tmp_path / "model.onnx")
    copy = private_copy(read(path).model, str(tmp_path / "copy"))
    assert sorted(os.listdir(tmp_path / "copy")) == ["model.data", "model.onnx"]
    assert np.array_equal(run_file(copy, FEEDS)[0], run_file(path, FEEDS)[0])


def test_a_huge_model_costs_its_graph(tmp_path: Path) -> None:
    path = good.save_huge(tmp_path, gib=2.5)
    model = read(path).model
    assert model.nbytes > 2 << 30
    assert len(model.skeleton) < 10_000
    assert size_of(pieces(model, [None] * len(model.weights))) > 2 << 30
    assert open_session(model).get_inputs()[0].name == "x"


def test_sessions_read_weights_in_place(tmp_path: Path) -> None:
    path = good.save(good.mlp(), tmp_path / "model.onnx")
    model = read(path).model
    for level in ("none", "basic", "extended"):
        (found,) = open_session(model, level=level, prepack=True).run(None, FEEDS)
        assert np.allclose(found, run_file(path, FEEDS)[0], atol=1e-6)


def test_a_path_that_is_not_text_is_named(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    model = read(good.save(good.mlp(), os.fsdecode(folder) + "/model.onnx")).model
    with pytest.raises(InputError) as caught:
        open_session(model)
    assert caught.value.problems[0].code == "MB264"


@pytest.mark.parametrize("build", [good.mlp, good.tied_model, good.constant_weights, good.decoder])
def test_through_onnx_ir_and_back_no_byte_is_copied(build: object, tmp_path: Path) -> None:
    model = read(good.save(build(), tmp_path / "model.onnx")).model  # type: ignore[operator]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    back = from_ir(to_ir(model), str(scratch))
    assert back.weights == model.weights
    assert back.signature == model.signature
    assert not list(scratch.iterdir())


def test_hard_linked_weights_can_be_edited(tmp_path: Path) -> None:
    path = good.save_external(good.mlp(), tmp_path / "model.onnx")
    os.link(tmp_path / "weights.bin", tmp_path / "twin")
    edited = to_ir(read(path).model)
    assert edited.graph.initializers["w0"].const_value.numpy().shape == (64, 64)


def test_edited_weights_go_to_the_scratch_folder(tmp_path: Path) -> None:
    path = good.save(good.mlp(), tmp_path / "model.onnx")
    model = read(path).model
    edited = to_ir(model)
    value = edited.graph.initializers["w1"]
    doubled = onnx_ir.tensor(value.const_value.numpy() * 2, name="w1")
    value.const_value = doubled
    result = model.with_ir(edited, str(tmp_path))
    assert value.const_value is doubled
    assert result.weights[0] == model.weights[0]
    assert Path(result.weights[1].region.path).parent == tmp_path
    assert Path(result.weights[1].region.path).read_bytes() == (good.noise(2, 64, 64) * 2).tobytes()
    reference = good.mlp()
    reference.graph.initializer[2].CopyFrom(good.tensor("w1", good.noise(2, 64, 64) * 2))
    agree(good.save(reference, tmp_path / "reference.onnx"), result, FEEDS)


def test_a_broken_edit_is_an_error(tmp_path: Path) -> None:
    model = read(good.save(good.mlp(), tmp_path / "model.onnx")).model
    edited = to_ir(model)
    edited.graph.outputs.clear()
    with pytest.raises(InputError) as caught:
        from_ir(edited, str(tmp_path))
    assert caught.value.problems[0].code == "MB227"
