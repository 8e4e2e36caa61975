"""`why`: the sentence names what the user changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundler.cache import explain
from bundler.cache.explain import History, differences
from bundler.cache.keys import Key, step_key
from bundler.cache.store import Store
from tests.cache_models import sha256

MODEL = sha256(b"model")


def key(**changes: Any) -> Key:
    base: dict[str, Any] = {
        "model": MODEL,
        "loader": "quantize_dynamic",
        "version": "1",
        "options": {"per_channel": False, "type": "uint8"}.items(),
        "code": "c0de",
        "tools": {"onnxruntime": "1.31"},
        "files": {"golden/x.npz": "f1"},
        "context": {"mode": "production"},
    }
    return step_key(**(base | changes))


CASES: list[tuple[dict[str, Any], str]] = [
    ({"options": {"per_channel": True, "type": "uint8"}.items()}, "quantize_dynamic: per_channel false -> true"),
    ({"options": {"per_channel": False}.items()}, 'quantize_dynamic: type "uint8" -> (none)'),
    ({"tools": {"onnxruntime": "1.32"}}, "onnxruntime 1.31 -> 1.32"),
    ({"model": sha256(b"other")}, "source model changed"),
    ({"files": {"golden/x.npz": "f2"}}, "golden/x.npz changed"),
    ({"files": {}}, "golden/x.npz is no longer read"),
    ({"files": {"golden/x.npz": "f1", "b": "f3"}}, "b is read now"),
    ({"code": "0ther"}, "quantize_dynamic: its code changed"),
    ({"version": "2"}, "loader version 1 -> 2"),
    ({"context": {"mode": "development"}}, 'mode "production" -> "development"'),
]


@pytest.mark.parametrize(("change", "sentence"), CASES, ids=[sentence for _, sentence in CASES])
def test_what_changed(change: dict[str, Any], sentence: str) -> None:
    assert differences(key().parts, key(**change).parts) == (sentence,)


def test_nothing_changed() -> None:
    assert differences(key().parts, key().parts) == ()


def test_a_later_step_blames_the_step_before() -> None:
    after = key(model=sha256(b"other")).parts
    assert differences(key().parts, after, first=False) == ("the step before gave another model",)


def test_a_changed_source_is_told_once() -> None:
    before, after = (key(model=m, context={"source": m}).parts for m in (MODEL, sha256(b"other")))
    assert differences(before, after) == ("source model changed",)
    assert differences(before, after, first=False) == ("source model changed", "the step before gave another model")


def test_what_the_user_did_comes_before_what_tools_did() -> None:
    after = key(
        tools={"onnxruntime": "1.32"}, model=sha256(b"x"), options={"per_channel": True, "type": "uint8"}.items()
    )
    assert differences(key().parts, after.parts) == (
        "quantize_dynamic: per_channel false -> true",
        "source model changed",
        "onnxruntime 1.31 -> 1.32",
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def build(store: Store, used: Key, *, hit: bool = False, entry: str = "icons") -> None:
    history = History(store)
    history.note(entry, "q8", 1, "quantize_dynamic", used, hit=hit)
    history.note(entry, "q8", 0, "simplify", key(loader="simplify"), hit=hit)
    history.save()


def why(store: Store, entry: str = "icons", variant: str | None = None) -> list[tuple[str, ...]]:
    return [reason.reasons for reason in explain.why(explain.read(store), entry, variant)]


def test_the_first_build(store: Store) -> None:
    build(store, key())
    assert why(store) == [("first build of this step",)] * 2
    assert why(store, "other") == []
    assert why(store, "icons", "fp16") == []


def test_a_hit(store: Store) -> None:
    build(store, key())
    build(store, key(), hit=True)
    assert why(store) == [("nothing that it depends on changed",)] * 2


def test_the_nearest_earlier_key_is_compared_not_the_last_one(store: Store) -> None:
    build(store, key())
    build(store, key(model=sha256(b"x"), version="7", code="zzz", tools={}))
    build(store, key(tools={"onnxruntime": "1.32"}))
    assert why(store)[1] == ("onnxruntime 1.31 -> 1.32",)


def test_steps_come_in_the_order_of_the_chain(store: Store) -> None:
    build(store, key())
    assert [reason.loader for reason in explain.why(explain.read(store), "icons")] == ["simplify", "quantize_dynamic"]


def test_an_entry_that_was_collected(store: Store) -> None:
    build(store, key())
    build(store, key())
    assert why(store)[1] == ("its result was no longer in the cache",)


def test_other_entries_do_not_matter(store: Store) -> None:
    build(store, key(), entry="other")
    build(store, key(version="2"))
    assert why(store)[1] == ("first build of this step",)


def test_the_history_is_bounded(store: Store) -> None:
    for number in range(40):
        build(store, key(version=str(number)))
    assert len(explain.read(store)) <= 24
    assert why(store)[1] == ("loader version 38 -> 39",)


@pytest.mark.parametrize("value", [{}, [{}], [{"build": 1}], "x", None])
def test_a_damaged_history_is_an_empty_one(store: Store, value: object) -> None:
    store.put_record(explain.FILE_NAME, "history", value)
    assert explain.read(store) == []
    build(store, key())
    assert why(store)[1] == ("first build of this step",)
