"""What goes and what stays: `decide` by properties, the rest on real folders."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.cache import gc, pins
from bundler.cache.gc import BlobFile, Contents, Limits, Step, decide
from bundler.cache.keys import step_key
from bundler.cache.memo import Memo
from bundler.cache.steps import Steps
from bundler.cache.store import Store
from tests.cache_models import files_of, model_at, sha256

ROOT = Path(__file__).resolve().parent.parent
NOW = 1_000_000.0
LIMITS = Limits(size=100, age=1000, grace=50)

digests = st.sampled_from("abcdef")
times = st.integers(0, 2000).map(lambda before: NOW - before)
sizes = st.integers(0, 60)
steps_on_disk = st.lists(
    st.builds(Step, st.just(""), sizes, times, st.frozensets(digests, max_size=3)), max_size=8
).map(lambda steps: [Step(f"s{index}", step.size, step.used, step.blobs) for index, step in enumerate(steps)])
blobs_on_disk = st.dictionaries(digests, st.builds(BlobFile, sizes, times))


@given(steps_on_disk, blobs_on_disk, st.none() | times)
def test_decisions(steps: list[Step], blobs: dict[str, BlobFile], earliest: float | None) -> None:
    verdict = decide(Contents(steps, blobs), NOW, LIMITS, earliest)
    cutoff = min(NOW - LIMITS.grace, NOW if earliest is None else earliest)
    kept = [step for step in steps if step not in verdict.steps]
    left = {digest: blob for digest, blob in blobs.items() if digest not in verdict.blobs}

    assert all(step.used < cutoff for step in verdict.steps), "what is in use stays"
    assert all(blobs[digest].used < cutoff for digest in verdict.blobs), "what is young stays"
    assert not {digest for step in kept for digest in step.blobs} & set(verdict.blobs), "what is named stays"
    assert all(step.used >= NOW - LIMITS.age or step.used >= cutoff for step in kept), "what is old goes"
    size = sum(step.size for step in kept) + sum(blob.size for blob in left.values())
    assert size <= LIMITS.size or all(step.used >= cutoff for step in kept), "the cap holds, as far as it may"
    named = {digest for step in kept for digest in step.blobs}
    assert all(digest in named or blob.used >= cutoff for digest, blob in left.items()), "orphans go"
    over = [step for step in verdict.steps if step.used >= NOW - LIMITS.age]
    assert all(step.used <= other.used for step in over for other in kept if other.used < cutoff), "oldest first"


@given(steps_on_disk, blobs_on_disk)
def test_a_second_collection_finds_nothing(steps: list[Step], blobs: dict[str, BlobFile]) -> None:
    first = decide(Contents(steps, blobs), NOW, LIMITS)
    kept = [step for step in steps if step not in first.steps]
    left = {digest: blob for digest, blob in blobs.items() if digest not in first.blobs}
    second = decide(Contents(kept, left), NOW, LIMITS)
    assert (second.steps, second.blobs) == ((), ())


@given(steps_on_disk, blobs_on_disk)
def test_no_blob_goes_while_a_record_is_unreadable(steps: list[Step], blobs: dict[str, BlobFile]) -> None:
    assert decide(Contents(steps, blobs, complete=False), NOW, LIMITS).blobs == ()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "cache"))


def save(store: Store, tmp_path: Path, name: str, used_before: float, size: int = 5000) -> str:
    """A step result of about `size` bytes that was used so many seconds ago; returns its key."""
    source = model_at(tmp_path / "source", [])
    key = step_key(model=sha256(name.encode()), loader=name, version="1")
    result = model_at(tmp_path / name, [name.encode() * (size // len(name))])
    Steps(store, Memo(store)).save(key, result, {}, source)
    store.close()
    past = time.time() - used_before
    fresh = [path for kind in ("steps", "blobs") for path in files_of(store, kind)]
    for path in fresh:
        if time.time() - path.stat().st_mtime < 60:
            os.utime(path, (past, past))
    return key.hex


def keys(store: Store) -> set[str]:
    return {path.parent.name + path.stem for path in files_of(store, "steps")}


def test_what_nobody_used_for_long_goes_with_its_blobs(tmp_path: Path, store: Store) -> None:
    save(store, tmp_path, "old", 40 * 86400)
    new = save(store, tmp_path, "new", 86400)
    collected = gc.collect(store)
    assert (collected.steps, collected.blobs) == (1, 2)
    assert collected.freed > 5000
    assert keys(store) == {new}
    assert collected.left == gc.scan(store).size


def test_the_least_recently_used_go_first(tmp_path: Path, store: Store) -> None:
    for index, name in enumerate(["one", "two", "three", "four"]):
        save(store, tmp_path, name, 10_000 - 1000 * index)
    gc.collect(store, Limits(size=13_000))
    assert sorted(step.loader for step in gc.scan(store).steps) == ["four", "three"]


def test_what_was_just_used_stays_whatever_the_cap(tmp_path: Path, store: Store) -> None:
    save(store, tmp_path, "new", 60)
    assert gc.collect(store, Limits(size=0)).steps == 0
    assert gc.collect(store, Limits(size=0, grace=10)).steps == 1
    assert files_of(store, "blobs") == []


def test_what_a_running_build_may_use_stays(tmp_path: Path, store: Store) -> None:
    save(store, tmp_path, "before", 7200)
    build = Store(str(tmp_path / "cache"))
    build.hold()
    late = save(store, tmp_path, "during", -1)
    assert gc.collect(store, Limits(size=0, age=0, grace=0)).steps == 1
    assert keys(store) == {late}
    build.close()
    for path in files_of(store, "steps") + files_of(store, "blobs"):
        os.utime(path, (time.time() - 9, time.time() - 9))
    assert gc.collect(store, Limits(size=0, age=0, grace=0)).steps == 1


def test_clear_removes_everything_of_every_format_and_nothing_else(tmp_path: Path, store: Store) -> None:
    save(store, tmp_path, "one", 5)
    folder = Path(store.folder).parent
    (folder / "mbundle-v99").mkdir()
    (folder / "mbundle-vacation").mkdir()
    (folder / "precious").write_text("")
    assert gc.clear(store).left == 0
    assert sorted(path.name for path in folder.iterdir()) == ["mbundle-vacation", "precious"]


def test_clear_spares_a_running_build(tmp_path: Path, store: Store) -> None:
    save(store, tmp_path, "before", 7200)
    with Store(str(tmp_path / "cache")):
        late = save(store, tmp_path, "during", -1)
        collected = gc.clear(store)
        assert collected.left > 0
    assert keys(store) == {late}


def test_a_build_that_was_killed_pins_nothing(tmp_path: Path, store: Store) -> None:
    save(store, tmp_path, "one", 7200)
    code = (
        "import os, signal, sys; from bundler.cache.store import Store\n"
        "Store(sys.argv[1]).hold(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "cache")], cwd=ROOT, check=False)
    assert len(files_of(store, "live")) == 1
    assert pins.earliest(store.pins) is None
    assert files_of(store, "live") == []


def test_a_step_used_between_scan_and_removal_is_put_back(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = save(store, tmp_path, "one", 40 * 86400)
    scanned = gc.scan(store)
    os.utime(files_of(store, "steps")[0])  # as Steps.find does
    monkeypatch.setattr(gc, "scan", lambda _: scanned)
    assert gc.collect(store).steps == 0
    assert keys(store) == {key}


def test_entries_that_vanish_during_a_collection_are_nobodys_fault(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, tmp_path, "one", 40 * 86400)
    scanned = gc.scan(store)
    for path in files_of(store, "steps") + files_of(store, "blobs"):
        path.unlink()
    monkeypatch.setattr(gc, "scan", lambda _: scanned)
    assert gc.collect(store).steps == 0


def test_a_damaged_record_protects_nothing(tmp_path: Path, store: Store) -> None:
    save(store, tmp_path, "one", 7200)
    record = files_of(store, "steps")[0]
    record.write_bytes(b"junk")
    os.utime(record, (time.time() - 7200,) * 2)
    assert gc.collect(store).blobs == 2


def test_leftovers_of_killed_builds_go_after_a_day(tmp_path: Path, store: Store) -> None:
    store.put_bytes(b"")
    old, new = Path(store.folder, "tmp", "old"), Path(store.folder, "tmp", "new")
    for folder in (old, new):
        folder.mkdir()
        (folder / "file").write_text("")
    os.utime(old, (time.time() - 90_000,) * 2)
    gc.collect(store)
    assert new.exists()
    assert not old.exists()


def test_a_cache_that_is_not_there_is_an_empty_one(store: Store) -> None:
    assert gc.collect(store).left == gc.clear(store).left == gc.scan(store).size == 0
    assert not Path(store.folder).exists()
