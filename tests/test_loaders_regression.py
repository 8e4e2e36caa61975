"""What counts as worse: bigger, other inputs, NaN, too far off. Pure functions, no model is run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bundler.catalogue import CATALOGUE, problem
from bundler.errors import InputError, StepError
from bundler.graph.model import Model, Port, Signature
from bundler.loaders.quantize_dynamic import QuantizeDynamic
from bundler.loaders.record import StepRecord
from bundler.loaders.regression import Allowed, of_form, of_function, of_loading, refuse, remark
from bundler.loaders.simplify import Simplify
from bundler.loaders.verify.agreement import Agreement
from bundler.loaders.verify.compare import compare

X = Port("x", "float32", ("batch", 4))
Y = Port("y", "float32", ("batch", 2))
MODEL = Model(bytes(10_000), (), Signature((X,), (Y,)), 8, (("", 17),), (("MatMul", 3),))
SIMPLIFY, QUANTIZE = Allowed().after(Simplify()), Allowed().after(Simplify()).after(QuantizeDynamic())


def agreement(*pairs: tuple[object, object]) -> Agreement:
    arrays = [([np.asarray(a, np.float32)], [np.asarray(b, np.float32)]) for a, b in pairs]
    return compare(["y"], arrays)


def with_ports(inputs: tuple[Port, ...] = (X,), outputs: tuple[Port, ...] = (Y,)) -> Model:
    return replace(MODEL, signature=Signature(inputs, outputs))


def test_equal_outputs_agree_perfectly() -> None:
    found = agreement(([1, 2], [1, 2]), ([0, 0], [0, 0]))
    assert (found.relative, found.absolute, found.samples) == (0, 0, 2)
    assert found.cosine == pytest.approx(1)
    assert of_function(found, SIMPLIFY) is None


def test_an_error_is_relative_to_the_outputs_magnitude() -> None:
    found = agreement(([100, 0.5], [100, 1]))
    assert found.relative == pytest.approx(0.005)
    assert found.absolute == pytest.approx(0.5)


def test_each_loaders_tolerance_applies_to_it() -> None:
    off = agreement(([1, 2, 3], [1.01, 2, 3]))
    trouble = of_function(off, SIMPLIFY)
    assert trouble is not None
    assert trouble.code == "MB324"
    assert "0.0033 of its range" in trouble.reason
    assert of_function(off, QUANTIZE) is None


def test_steps_after_a_lossy_one_are_not_blamed_for_its_loss() -> None:
    off = agreement(([1, 2, 3], [1.01, 2, 3]))
    assert of_function(off, QUANTIZE.after(Simplify())) is None


def test_an_output_that_points_elsewhere_is_refused_and_one_that_leans_is_remarked() -> None:
    opposite, leaning = agreement(([1, 0], [0, 1])), agreement(([1, 0], [1, 0.2]))
    trouble = of_function(opposite, QUANTIZE)
    assert trouble is not None
    assert "cosine of 0.000" in trouble.reason
    assert of_function(leaning, QUANTIZE) is None
    assert "cosine of 0.981" in remark(leaning, QUANTIZE, "")


def test_the_entrys_own_limit_is_absolute_and_replaces_the_defaults() -> None:
    off = agreement(([100, 0.5], [100, 1]))
    assert of_function(off, Allowed(max_error=0.6).after(Simplify())) is None
    assert of_function(off, Allowed(max_error=0.4).after(QuantizeDynamic())) is not None


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite")])
def test_nan_where_the_source_has_a_number_is_broken(value: float, word: str) -> None:
    trouble = of_function(agreement(([1, 2], [1, value])), QUANTIZE)
    assert trouble is not None
    assert trouble.code == "MB323"
    assert word in trouble.reason
    assert "1 of 2 values" in trouble.reason


def test_nan_where_the_source_has_nan_is_not() -> None:
    assert of_function(agreement(([1, np.nan], [1, np.nan])), SIMPLIFY) is None
    assert of_function(agreement(([np.nan], [np.nan])), SIMPLIFY) is None


def test_another_shape_or_type_is_broken() -> None:
    assert "shape" in agreement(([1, 2], [[1, 2]])).broken
    assert "int64" in compare(["y"], [([np.zeros(2, np.float32)], [np.zeros(2, np.int64)])]).broken


def test_integers_are_compared_by_the_share_that_differs() -> None:
    found = compare(["label"], [([np.array([1, 2, 3, 400])], [np.array([1, 2, 3, 4])])])
    assert (found.relative, found.output) == (0.25, "label")


def test_empty_outputs_agree() -> None:
    assert agreement((np.zeros((0, 4)), np.zeros((0, 4)))).relative == 0


def test_a_bigger_model_is_refused_with_both_sizes() -> None:
    trouble = of_form(MODEL, replace(MODEL, skeleton=bytes(200_000)))
    assert trouble is not None
    assert trouble.code == "MB320"
    assert "10.0 kB to 0.2 MB" in trouble.reason


def test_a_graph_of_fewer_nodes_may_have_longer_names() -> None:
    assert of_form(MODEL, replace(MODEL, skeleton=bytes(10_100), ops=(("MatMul", 2),))) is None
    assert of_form(MODEL, replace(MODEL, skeleton=bytes(10_100))) is not None


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (with_ports(inputs=()), 'without "x"'),
        (with_ports(outputs=(Y, X)), 'with "x"'),
        (with_ports(inputs=(replace(X, dtype="float16"),)), "from float32 to float16"),
        (with_ports(inputs=(replace(X, shape=(1, 4)),)), "shape of input"),
        (with_ports(outputs=(replace(Y, shape=("batch", 3)),)), "shape of output"),
        (with_ports(outputs=(replace(Y, shape=("batch", 2, 1)),)), "shape of output"),
    ],
)
def test_another_signature_is_refused(after: Model, words: str) -> None:
    trouble = of_form(MODEL, after)
    assert trouble is not None
    assert trouble.code == "MB322"
    assert words in trouble.reason


def test_another_order_of_outputs_is_refused() -> None:
    z = replace(Y, name="z")
    trouble = of_form(with_ports(outputs=(Y, z)), with_ports(outputs=(z, Y)))
    assert trouble is not None
    assert "another order" in trouble.reason


def test_an_outputs_free_dimension_may_become_known_and_renamed() -> None:
    assert of_form(MODEL, with_ports(outputs=(replace(Y, shape=(1, 2)),))) is None
    assert of_form(MODEL, with_ports(inputs=(replace(X, shape=("n", 4)),), outputs=(replace(Y, shape=None),))) is None


def test_a_result_that_does_not_load_says_why() -> None:
    trouble = of_loading(InputError(problem("MB321", "MatMul has no inputs")))
    assert trouble.reason == "its result does not load: MatMul has no inputs"


def test_refusals_name_entry_and_step_and_are_in_the_catalogue() -> None:
    trouble = of_form(MODEL, with_ports(inputs=()))
    assert trouble is not None
    error = refuse(trouble, "icons", "simplify")
    assert isinstance(error, StepError)
    (found,) = error.problems
    assert (found.entry, found.step, found.fix) == ("icons", "simplify", CATALOGUE["MB322"].fix)


def test_what_is_not_compared_is_told() -> None:
    assert remark(None, SIMPLIFY, "it is random (Multinomial)") == "not compared: it is random (Multinomial)"


def test_a_record_survives_json_and_says_when_it_came_from_the_cache() -> None:
    record = StepRecord("simplify", 10, 8, 5, 4, 0.25, "ok").with_agreement(agreement(([1, 2], [1, 2])))
    assert StepRecord.from_json(record.as_json()) == record
    assert record.from_cache().status == "cached"
    kept = replace(record, status="rolled back").from_cache()
    assert (kept.status, kept.cached) == ("rolled back", True)
