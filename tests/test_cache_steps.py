"""A step's result comes back as it was, wherever the source lies by then, or it does not come back at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.cache.keys import Key, graph_digest, step_key
from bundler.cache.memo import Memo
from bundler.cache.steps import Steps
from bundler.cache.store import Store
from bundler.errors import Problem
from bundler.graph.model import Model
from tests.cache_models import age, contents, files_of, model_at, sha256, without_places

A, B, C, NEW = b"a" * 2000, b"b" * 3001, b"c" * 1500, b"n" * 1777
KEY = step_key(model=sha256(b""), loader="simplify", version="1")
RECORD = {"step": "simplify", "seconds": 1.5, "cosine": None}


@pytest.fixture
def told() -> list[Problem]:
    return []


@pytest.fixture
def steps(tmp_path: Path, told: list[Problem]) -> Steps:
    return again(tmp_path, told)


def again(tmp_path: Path, told: list[Problem]) -> Steps:
    """As the next build makes it."""
    store = Store(str(tmp_path / "cache"), told.append)
    return Steps(store, Memo(store))


@pytest.fixture
def source(tmp_path: Path) -> Model:
    return model_at(tmp_path / "source.onnx", [A, B, C])


def result_of_a_step(steps: Steps, weights: list[bytes] = [A, NEW, C, NEW], name: str = "out") -> Model:  # noqa: B006
    """As a library leaves it: everything copied into a file in the step's scratch folder."""
    return model_at(Path(steps.store.scratch(), name), weights, b"simplified")


def test_a_result_comes_back(tmp_path: Path, steps: Steps, source: Model, told: list[Problem]) -> None:
    result = result_of_a_step(steps)
    kept = steps.save(KEY, result, RECORD, source)
    assert (without_places(kept), contents(kept)) == (without_places(result), contents(result))
    steps.store.close()
    assert contents(kept) == [A, NEW, C, NEW], "it must outlive the scratch folder"
    found = again(tmp_path, told).load(KEY, source)
    assert found is not None
    model, record = found
    assert (model, record) == (kept, RECORD)
    assert told == []


def test_weights_that_the_source_has_are_not_stored_again(steps: Steps, source: Model) -> None:
    kept = steps.save(KEY, result_of_a_step(steps), RECORD, source)
    assert [weight.region for weight in kept.weights][::2] == [source.weights[0].region, source.weights[2].region]
    assert kept.weights[1].region == kept.weights[3].region
    assert sum(path.stat().st_size for path in files_of(steps.store, "blobs")) < len(NEW) + 1000


def test_new_weights_are_aligned(steps: Steps, source: Model) -> None:
    kept = steps.save(KEY, result_of_a_step(steps, [NEW, NEW[:-1], NEW[:-2]]), RECORD, source)
    assert [weight.region.offset % 64 for weight in kept.weights] == [0, 0, 0]
    assert contents(kept) == [NEW, NEW[:-1], NEW[:-2]]


def test_a_step_that_changed_nothing_stores_no_weights(steps: Steps, source: Model) -> None:
    assert steps.save(KEY, source, RECORD, source) == source
    found = steps.load(KEY, source)
    assert found is not None
    assert found[0] == source


def test_a_source_that_moved_is_found_by_its_digests(
    tmp_path: Path, steps: Steps, source: Model, told: list[Problem]
) -> None:
    steps.save(KEY, result_of_a_step(steps), RECORD, source)
    steps.store.close()
    moved = model_at(tmp_path / "moved.onnx", [C, B, A])
    found = again(tmp_path, told).load(KEY, moved)
    assert found is not None
    assert contents(found[0]) == [A, NEW, C, NEW]
    assert found[0].weights[0].region == moved.weights[2].region


def test_a_source_without_the_weights_is_a_miss(tmp_path: Path, steps: Steps, source: Model) -> None:
    steps.save(KEY, result_of_a_step(steps), RECORD, source)
    assert steps.load(KEY, model_at(tmp_path / "other.onnx", [B])) is None


def test_the_digest_of_the_result_is_known_without_loading_it(steps: Steps, source: Model) -> None:
    kept = steps.save(KEY, result_of_a_step(steps), RECORD, source)
    saved = steps.find(KEY)
    assert saved is not None
    assert saved.digest == steps.memo.graph(kept) == graph_digest(b"simplified", map(sha256, [A, NEW, C, NEW]))


def test_another_key_is_a_miss(steps: Steps, source: Model) -> None:
    steps.save(KEY, source, RECORD, source)
    assert steps.load(step_key(model=sha256(b"x"), loader="simplify", version="1"), source) is None


def test_a_source_that_changed_while_the_step_ran_is_not_cached(tmp_path: Path, steps: Steps, source: Model) -> None:
    steps.memo.graph(source)  # the key is made before the step runs
    result = result_of_a_step(steps)
    model_at(tmp_path / "source.onnx", [A, C, B[:-1]])
    assert steps.save(KEY, result, RECORD, source) is result
    assert files_of(steps.store, "steps") == []


def test_a_same_size_edit_in_the_same_tick_is_not_cached(tmp_path: Path, steps: Steps, source: Model) -> None:
    steps.memo.graph(source)
    model_at(tmp_path / "source.onnx", [A, C[::-1] * 2 + b"!", C])
    steps.memo._known.clear()  # what a filesystem with a slow clock would make of it: the same fingerprint
    steps.memo._of(source.weights[0].region.path)
    for weight, digest in zip(source.weights, map(sha256, [A, B, C]), strict=True):
        steps.memo.learn(weight.region, digest)
    assert steps.save(KEY, source, RECORD, source) is source
    assert files_of(steps.store, "steps") == []


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(change(data))


def swap(paths: list[Path]) -> None:
    one, other = paths[0].read_bytes(), paths[-1].read_bytes()
    for path, data in ((paths[0], other), (paths[-1], one)):
        path.unlink()
        path.write_bytes(data)


def each(change: Callable[[Path], None]) -> Callable[[list[Path]], None]:
    def change_all(paths: list[Path]) -> None:
        for path in paths:
            change(path)

    return change_all


DAMAGE: dict[str, Callable[[list[Path]], None]] = {
    "truncate": each(lambda path: rewrite(path, lambda data: data[:-1])),
    "flip": each(lambda path: rewrite(path, lambda data: data[:-1] + bytes([data[-1] ^ 4]))),
    "empty": each(lambda path: rewrite(path, lambda data: b"")),
    "swap": swap,
    "delete": each(Path.unlink),
    "version": each(lambda path: rewrite(path, lambda data: data.replace(b" 1 ", b" 9 ", 1))),
}
# A blob has no version: it is its digest.
DAMAGES = [(kind, name) for kind in ("blobs", "steps") for name in DAMAGE if (kind, name) != ("blobs", "version")]


@pytest.mark.parametrize(("kind", "name"), DAMAGES)
def test_damage_of_every_kind_is_a_miss_and_heals(
    tmp_path: Path, steps: Steps, source: Model, told: list[Problem], kind: str, name: str
) -> None:
    other = Key("f" * 64, {"loader": "other"})
    steps.save(KEY, result_of_a_step(steps), RECORD, source)
    steps.save(other, result_of_a_step(steps, [NEW * 2]), {"step": "other"}, source)
    DAMAGE[name](files_of(steps.store, kind))
    build = again(tmp_path, told)
    both = [build.load(key, source) for key in (KEY, other)]
    assert None in both, "at least one of the two was damaged"
    assert both[0] is None or contents(both[0][0]) == [A, NEW, C, NEW]
    assert both[1] is None or contents(both[1][0]) == [NEW * 2]
    assert {problem.code for problem in told} <= {"MB452"}
    build.save(KEY, result_of_a_step(build), RECORD, source)
    found = again(tmp_path, told).load(KEY, source)
    assert found is not None
    assert contents(found[0]) == [A, NEW, C, NEW]


@pytest.mark.parametrize("index", range(4))
def test_each_damaged_blob_alone_is_never_believed(tmp_path: Path, steps: Steps, source: Model, index: int) -> None:
    other = Key("f" * 64, {"loader": "other"})
    steps.save(KEY, result_of_a_step(steps), RECORD, source)
    steps.save(other, result_of_a_step(steps, [NEW * 2]), {"step": "other"}, source)
    blobs = files_of(steps.store, "blobs")
    assert len(blobs) == 4
    rewrite(blobs[index], lambda data: data[:5] + bytes([data[5] ^ 1]) + data[6:])
    build = again(tmp_path, [])
    found = [build.load(key, source) for key in (KEY, other)]
    assert sorted(one is None for one in found) == [False, True]


def test_without_a_working_cache_the_step_goes_on_with_its_own_result(tmp_path: Path, source: Model) -> None:
    (tmp_path / "file").write_text("")
    told: list[Problem] = []
    store = Store(str(tmp_path / "file"), told.append)
    steps = Steps(store, Memo(store))
    result = result_of_a_step(steps)
    assert steps.save(KEY, result, RECORD, source) is result
    assert contents(result) == [A, NEW, C, NEW]
    assert steps.load(KEY, source) is None
    assert [problem.code for problem in told] == ["MB450"]


def test_loaded_weights_need_not_be_hashed_again(tmp_path: Path, steps: Steps, source: Model) -> None:
    steps.save(KEY, result_of_a_step(steps), RECORD, source)
    build = again(tmp_path, [])
    found = build.load(KEY, source)
    assert found is not None
    regions = [weight.region for weight in found[0].weights]
    assert [build.memo.lookup(region) for region in regions] == list(map(sha256, [A, NEW, C, NEW]))


def test_a_use_is_noted_for_the_collector(steps: Steps, source: Model) -> None:
    steps.save(KEY, source, RECORD, source)
    path = files_of(steps.store, "steps")[0]
    age(path, 1000)
    before = path.stat().st_mtime
    steps.find(KEY)
    assert path.stat().st_mtime > before + 900
