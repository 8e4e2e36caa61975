"""bundler.testing: our own loaders keep to the contract, and whoever breaks it is told how."""

from __future__ import annotations

from typing import Any

import pytest

from bundler.loaders.dce import Dce
from bundler.loaders.dedupe import Dedupe
from bundler.loaders.float16 import Float16
from bundler.loaders.quantize_dynamic import QuantizeDynamic
from bundler.loaders.quantize_weights import QuantizeWeights
from bundler.loaders.simplify import Simplify
from bundler.testing import conformance

from . import broken_loaders as broken

SLOW = [
    pytest.param(QuantizeWeights(bits=4, block_size=16), [QuantizeWeights()], id="quantize_weights"),
    pytest.param(QuantizeDynamic(per_channel=True), [], id="quantize_dynamic"),
    pytest.param(Simplify(), [], id="simplify"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("loader", "others"), SLOW)
def test_our_own_loaders_conform(loader: Any, others: list[Any]) -> None:
    for rule in conformance(loader, others=others):
        rule()


def test_a_loader_and_a_function_that_keep_to_everything() -> None:
    for subject in (Float16(), broken.right):
        for rule in conformance(subject, cases=("dense", "branches"), max_error=0.1):
            rule()


def test_one_that_has_nothing_to_do_here_needs_a_model_of_its_author() -> None:
    for loader in (Dce(), Dedupe()):
        said(loader, "acts", "give one of your own", cases=("dense", "weightless"))


def said(subject: Any, rule: str, words: str, **options: Any) -> None:
    """The rule fails, and says it."""
    options.setdefault("cases", ("dense",))
    (found,) = (one for one in conformance(subject, **options) if str(one) == rule)
    with pytest.raises(AssertionError) as caught:
        found()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("subject", "rule", "words"),
    [
        (broken.Thawed(), "declares", "no frozen dataclass"),
        (broken.Bare(), "declares", "`bundler.loaders.base.Loader` says what each is for"),
        (broken.Misnamed(), "declares", "'Good-Loader' cannot be imported"),
        (broken.Toolless(), "declares", "'no-such-tool' is no installed distribution"),
        (broken.OddOption(), "declares", "option `levels` cannot be checked"),
        (broken.HiddenOption(), "declares", "`strength`, which is no field"),
        (broken.later, "declares", "is the async function `later`"),
        (broken.Unpicklable(), "travels", "cannot be pickled"),
        (broken.Nothing(), "runs", "on dense: good returned nothing"),
        (broken.Raising(), "runs", "it raises KeyError: 'w9' (broken_loaders.py, line "),
        (broken.Dying(), "runs", "its process ended with signal 6"),
        (broken.Wordless(), "runs", "the reason is half a sentence"),
        (broken.Idle(), "acts", "it changes none of the models (it is Sunday)"),
        (broken.InPlace(), "keeps_the_source", "it changes dense.onnx"),
        (broken.Elsewhere(), "keeps_the_source", "elsewhere.bin: only context.scratch"),
        (broken.Random(), "repeats_itself", "other bytes for w0"),
        (broken.HashOrdered(), "repeats_itself", "another graph: an order that depends on hashes"),
        (broken.Growing(), "keeps_the_form", "it makes the model bigger"),
        (broken.Renaming(), "keeps_the_form", 'it changes the outputs: without "y", with "z"'),
        (broken.Zeroing(), "agrees", "of its range (1e-06 is allowed)"),
        (broken.NotANumber(), "agrees", "is NaN where the source has a number"),
        (broken.Inventing(), "agrees", "does not load"),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "apply") else None,
)
def test_who_breaks_a_rule_is_told(subject: Any, rule: str, words: str) -> None:
    said(subject, rule, words)


def test_what_is_left_over_from_the_model_before_shows() -> None:
    said(broken.Remembering(), "repeats_itself", "another graph", cases=("dense", "convolution"))


def test_a_loader_that_hangs_is_ended() -> None:
    said(broken.Hanging(), "runs", "it takes more than 5 s", seconds=5.0)


def test_two_that_differ_need_two_keys() -> None:
    said(broken.depending(1), "is_cached_by_its_options", "the same to the cache", others=[broken.depending(2)])


def test_a_function_may_do_what_its_author_allows() -> None:
    said(broken.wrong, "agrees", "max_error is 0.01", max_error=0.01)


def test_what_a_build_says_against_it_is_told() -> None:
    said(broken.Raising(), "builds", "error[MB306]")


def test_a_class_is_no_loader() -> None:
    with pytest.raises(TypeError, match=r"give a loader made from it, Good\(\)"):
        conformance(broken.Good)
    with pytest.raises(ValueError, match="there is no case 'dens'"):
        conformance(broken.Good(), cases=("dens",))
