"""Coalescing is pure: any stream of events, any clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bundler.watch.coalescing import PATIENCE, Coalescer, Hint

EVENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(list(Hint)), st.floats(0, 3, allow_nan=False)), max_size=30
)


def drained(coalescer: Coalescer, now: float) -> list[tuple[float, dict[str, float]]]:
    """Everything that settles when nothing else happens."""
    batches = []
    while (wait := coalescer.wait(now)) is not None:
        now += wait + 1e-6
        if taken := coalescer.take(now):
            batches.append((now, taken))
    return batches


@given(EVENTS)
def test_nothing_is_lost_and_nothing_told_twice(events: list[tuple[str, Hint, float]]) -> None:
    coalescer = Coalescer(lambda path: 0)
    now, told, expected = 0.0, [], set()
    last: dict[str, float] = {}
    for path, hint, gap in events:
        now += gap
        taken = coalescer.take(now)
        told += list(taken)
        expected -= taken.keys()
        for name in taken:
            assert last[name] <= now, "quiet for as long as the last event asks for"
        coalescer.add(path, hint, now)
        last[path] = now + hint.value
        expected.add(path)
    rest = drained(coalescer, now)
    assert {path for _, batch in rest for path in batch} == expected
    assert sum(len(batch) for _, batch in rest) == len(expected)
    assert not coalescer
    assert coalescer.wait(now) is None


@given(st.integers(2, 200), st.floats(0, 0.029))
def test_rapid_saves_are_one(count: int, gap: float) -> None:
    coalescer, now = Coalescer(lambda path: 0), 0.0
    for _ in range(count):
        now += gap
        assert coalescer.take(now) == {}
        coalescer.add("a", Hint.CLOSED, now)
    assert len(drained(coalescer, now)) == 1


def test_what_still_grows_is_not_settled() -> None:
    size = 0
    coalescer = Coalescer(lambda path: size)
    coalescer.add("a", Hint.CLOSED, 0)
    for size in range(1, 5):
        assert coalescer.take(size * 0.5) == {}
    assert coalescer.take(3) == {"a": 0}


def test_a_file_that_is_written_for_ever_holds_nobody_up() -> None:
    coalescer, now = Coalescer(lambda path: 0), 0.0
    coalescer.add("a", Hint.CLOSED, now)
    while not (taken := coalescer.take(now)):
        coalescer.add("log", Hint.WRITTEN, now)
        now += 0.2
        assert now < PATIENCE + 1
    assert taken == {"a": 0}
