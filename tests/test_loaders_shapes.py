"""Sizes and values for inputs of models that say little about themselves."""

from __future__ import annotations

from itertools import islice

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from bundler.graph.model import Port
from bundler.loaders.verify.domains import Domain, Domains
from bundler.loaders.verify.feeds import CannotFeed, feeds
from bundler.loaders.verify.shapes import MOST_ELEMENTS, attempts, other_batch, shape


def port(name: str, *dims: int | str | None) -> Port:
    return Port(name, "float32", dims)


def first(*ports: Port) -> list[tuple[int, ...]]:
    sizes = next(iter(attempts(ports)))
    return [shape(p, sizes) for p in ports]


def test_fixed_shapes_are_taken_as_they_are() -> None:
    assert first(port("x", 1, 3, 224, 224)) == [(1, 3, 224, 224)]
    assert len(list(attempts([port("x", 2, 2)]))) == 1


def test_scalars_and_no_inputs_have_one_attempt() -> None:
    assert first(port("sr")) == [()]
    assert len(list(attempts([]))) == 1


def test_a_symbol_has_one_size_in_all_inputs() -> None:
    assert first(port("ids", "batch", "sequence"), port("mask", "batch", "sequence")) == [(1, 16), (1, 16)]


def test_the_first_dimension_is_taken_for_a_batch() -> None:
    assert first(port("x", None, 80, None)) == [(1, 80, 16)]


def test_sums_of_symbols_are_computed() -> None:
    past = port("past", "batch_size", 12, "past_sequence_length", 64)
    mask = port("mask", "batch_size", "past_sequence_length + 1")
    assert first(past, mask) == [(1, 12, 16, 64), (1, 17)]


def test_unnamed_dimensions_are_independent_whatever_they_are_called() -> None:
    ports = [port("x", -1, 3, "?", "?")]
    tried = [shape(ports[0], sizes) for sizes in attempts(ports)]
    assert (1, 3, 48, 1) in tried
    assert all(min(dims) > 0 for dims in tried)


def test_a_voice_detector_finds_its_512_samples_soon() -> None:
    ports = [port("input", None, None), port("state", 2, None, 128)]
    wanted = [(1, 512), (2, 1, 128)]
    tried = [[shape(p, sizes) for p in ports] for sizes in islice(attempts(ports), 60)]
    assert wanted in tried


def test_two_samples_at_once_where_there_is_a_batch() -> None:
    ports = [port("x", "batch", "time")]
    sizes = next(iter(attempts(ports)))
    assert shape(ports[0], other_batch(ports, sizes)) == (2, 16)


@given(
    st.lists(st.one_of(st.none(), st.integers(-1, 300), st.sampled_from(["a", "b", "a + 1", "+", "?", ""])), max_size=4)
)
def test_every_attempt_is_a_shape_of_bounded_size(dims: list[int | str | None]) -> None:
    x = Port("x", "float32", tuple(dims))
    for sizes in islice(attempts([x]), 50):
        assert len(shape(x, sizes)) == len(dims)
        assert np.prod(shape(x, sizes), dtype=object) <= MOST_ELEMENTS


def graph(*nodes: onnx.NodeProto, **tensors: np.ndarray) -> Domains:
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "s"])
    initializers = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    return Domains(helper.make_graph(nodes, "g", [ids], [], initializers))


def node(op: str, inputs: str, output: str = "y", **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **attributes)


TABLE = np.zeros((30, 4), np.float32)


def test_token_ids_stay_below_the_rows_of_their_table() -> None:
    assert graph(node("Gather", "t ids"), t=TABLE).of("ids").limit == 30


def test_the_axis_of_the_table_counts() -> None:
    assert graph(node("Gather", "t ids", axis=1), t=TABLE).of("ids").limit == 4


def test_the_smallest_of_several_tables_decides() -> None:
    domains = graph(node("Gather", "t ids"), node("Gather", "u ids", "z"), t=TABLE, u=TABLE[:7])
    assert domains.of("ids").limit == 7


def test_values_are_followed_through_casts_and_reshapes_and_offsets() -> None:
    nodes = [node("Cast", "ids", "a", to=6), node("Unsqueeze", "a axes", "b"), node("Add", "b two", "c")]
    domains = graph(*nodes, node("Gather", "t c"), t=TABLE, axes=np.array([0]), two=np.array([2]))
    assert domains.of("ids").limit == 28


def test_a_one_hot_code_bounds_bytes() -> None:
    assert graph(node("OneHot", "ids depth v"), depth=np.array(257), v=np.zeros(2)).of("ids").limit == 257
    assert graph(node("Equal", "ids classes"), classes=np.arange(257)).of("ids").limit == 257


def test_constants_that_an_input_is_compared_with_are_its_choices() -> None:
    rate = graph(node("Equal", "ids rate"), rate=np.array(16000)).of("ids")
    assert (rate.limit, rate.choices) == (None, [16000])


def test_a_use_inside_a_branch_counts() -> None:
    inner = helper.make_graph([node("Gather", "t ids")], "then", [], [])
    domains = graph(node("If", "flag", then_branch=inner, else_branch=inner), t=TABLE)
    assert domains.of("ids").limit == 30


def test_a_loop_count_is_one() -> None:
    domain = graph(node("Loop", "ids", body=helper.make_graph([], "b", [], []))).of("ids")
    made = feeds((Port("ids", "int64", ()),), {"ids": ()}, {"ids": domain}, 0)["ids"]
    assert made == 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint8", "bool"])
def test_values_have_the_inputs_type(dtype: str) -> None:
    made = feeds((Port("x", dtype, (2, 3)),), {"x": (2, 3)}, {}, 0)["x"]
    assert (made.dtype.name, made.shape) == (dtype, (2, 3))


def test_a_seed_gives_the_same_values_and_another_seed_others() -> None:
    ports = (port("x", 8),)
    a, b, c = (feeds(ports, {"x": (8,)}, {}, seed)["x"] for seed in (0, 0, 1))
    assert (a == b).all()
    assert (a != c).any()


def test_limits_hold_and_unknown_integers_are_ones() -> None:
    ids = Port("ids", "int32", (500,))
    made = feeds((ids,), {"ids": (500,)}, {"ids": Domain(limit=7)}, 0)["ids"]
    assert (made.min(), made.max()) == (0, 6)
    assert (feeds((ids,), {"ids": (500,)}, {}, 0)["ids"] == 1).all()


def test_types_without_arrays_are_refused_by_name() -> None:
    with pytest.raises(CannotFeed, match='input "text" is of type string'):
        feeds((Port("text", "string", (1,)),), {"text": (1,)}, {}, 0)
