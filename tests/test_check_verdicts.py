"""Intervals and verdicts: what must hold for any measurements and any limit."""

from __future__ import annotations

import statistics

from hypothesis import assume, given
from hypothesis import strategies as st

from bundler.measure.benchfile import joined_with
from bundler.measure.interval import Interval, interval, percentile, rank
from bundler.measure.verdict import FAILS, growth, judge

times = st.floats(0.01, 1e6)
samples = st.lists(times, min_size=1, max_size=40)


@given(samples)
def test_the_interval_holds_the_median_and_lies_within_what_was_measured(taken: list[float]) -> None:
    found = interval(taken)
    assert min(taken) <= found.low <= found.value <= found.high <= max(taken)
    assert found.value == statistics.median(taken)


@given(samples, st.randoms())
def test_the_order_of_the_measurements_does_not_matter(taken: list[float], random: object) -> None:
    shuffled = list(taken)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert interval(shuffled) == interval(taken)


def test_of_five_all_count_and_of_many_the_outliers_do_not() -> None:
    assert rank(1) == rank(5) == 0
    assert rank(20) == 5
    assert interval([1.0] * 19 + [1e9]).high == 1.0


@given(samples, st.floats(0, 1), times, st.booleans())
def test_a_limit_is_over_only_where_the_whole_interval_is(
    taken: list[float], margin: float, limit: float, at_least: bool
) -> None:
    value = interval(taken).widened(margin)
    state = judge(limit, value, at_least=at_least)
    inside = (value.low <= limit <= value.high) or (value.high >= limit if at_least else value.low <= limit)
    assert (state in FAILS) is not inside
    if not at_least and value.high <= limit:
        assert state == "ok"


@given(samples, times)
def test_what_only_warns_never_fails(taken: list[float], limit: float) -> None:
    assert judge(limit, interval(taken), warns=True) not in FAILS
    assert judge(limit, None, warns=True) not in FAILS
    assert judge(limit, None) in FAILS


@given(samples, times, times)
def test_a_higher_limit_is_never_worse(taken: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    order = ["ok", "close", "over"]
    assert order.index(judge(high, interval(taken))) <= order.index(judge(low, interval(taken)))


def row(taken: list[float]) -> dict[str, object]:
    wide = interval(taken).widened(0.1)
    figure = {"value": wide.value, "low": wide.low, "high": wide.high, "samples": taken}
    return {"variant": "q8", "device": "wasm", "figures": {"latencyMs": figure}}


def bench(taken: list[float]) -> dict[str, object]:
    return {"count": 1, "entries": {"e": {"rows": [row(taken)]}}}


@given(st.lists(samples, min_size=2, max_size=8), times)
def test_a_repetition_on_unchanged_output_never_makes_a_kept_budget_fail(runs: list[list[float]], limit: float) -> None:
    known = bench(runs[0])
    states = []
    for taken in runs:
        known = joined_with(known, bench(taken))
        found = known["entries"]["e"]["rows"][0]["figures"]["latencyMs"]  # type: ignore[index]
        states.append(judge(limit, Interval(found["value"], found["low"], found["high"])))
    failing = [state in FAILS for state in states]
    assert failing == sorted(failing, reverse=True)


@given(st.floats(50, 150), st.lists(st.lists(st.floats(-0.04, 0.04), min_size=5, max_size=5), min_size=2, max_size=20))
def test_noise_within_the_margin_never_flips_a_verdict(limit: float, noise: list[list[float]]) -> None:
    """Twenty benchmarks of a model that takes 100 ms, 4 % up or down; the margin is 10 %."""
    known = bench([100 * (1 + each) for each in noise[0]])
    first = known["entries"]["e"]["rows"][0]["figures"]["latencyMs"]  # type: ignore[index]
    before = judge(limit, Interval(first["value"], first["low"], first["high"])) in FAILS
    for taken in noise[1:]:
        known = joined_with(known, bench([100 * (1 + each) for each in taken]))
        found = known["entries"]["e"]["rows"][0]["figures"]["latencyMs"]  # type: ignore[index]
        assert (judge(limit, Interval(found["value"], found["low"], found["high"])) in FAILS) is before


@given(samples, st.floats(0.01, 1))
def test_a_percentile_is_a_measurement_that_enough_do_not_exceed(taken: list[float], share: float) -> None:
    found = percentile(taken, share)
    assert found in taken
    assert sum(each <= found for each in taken) >= share * len(taken) - 1e-9


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_growth_is_a_share_of_the_base(now: int, before: int) -> None:
    assume(abs(now - before) > 1)
    assert (growth(now, before) > 0) is (now > before)
    assert growth(before, before) == 0
