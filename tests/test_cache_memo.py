"""The memo never gives a digest that is not that of the file's present content."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bundler.cache import fingerprint
from bundler.cache.fingerprint import RACY_NS, Fingerprint
from bundler.cache.memo import FILE, Memo
from bundler.cache.store import Store
from bundler.graph.model import Region
from tests.cache_models import sha256

DATA = b"x" * 5000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "cache"))


@pytest.fixture
def old_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds happen 10 s from now: ctime cannot be set, so the clock is what moves."""
    monkeypatch.setattr(fingerprint, "now", lambda: time.time_ns() + 10_000_000_000)


def region_of(path: Path, offset: int = 0, length: int = len(DATA)) -> Region:
    return Region(str(path), offset, length)


def known(store: Store, region: Region) -> str | None:
    """As the next build sees it."""
    return Memo(store).lookup(region)


@pytest.mark.usefixtures("old_clock")
def test_a_digest_is_remembered(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "model"
    path.write_bytes(DATA)
    memo = Memo(store)
    assert memo.sha256(region_of(path)) == sha256(DATA)
    assert memo.sha256(region_of(path, 10, 20)) == sha256(DATA[10:30])
    memo.save()
    assert known(store, region_of(path)) == sha256(DATA)
    assert known(store, region_of(path, 10, 20)) == sha256(DATA[10:30])
    assert known(store, region_of(path, 10, 21)) is None


def test_a_young_file_is_not_remembered(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "model"
    path.write_bytes(DATA)
    memo = Memo(store)
    memo.sha256(region_of(path))
    memo.save()
    assert known(store, region_of(path)) is None


@pytest.mark.usefixtures("old_clock")
def test_a_file_that_changes_during_the_build_is_not_remembered(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "model"
    path.write_bytes(DATA)
    memo = Memo(store)
    memo.sha256(region_of(path))
    path.write_bytes(DATA[::-1])
    memo.save()
    assert known(store, region_of(path)) is None


@pytest.mark.usefixtures("old_clock")
@pytest.mark.parametrize("edit", ["write", "replace", "touch", "delete", "restore mtime"])
def test_a_file_that_changed_since_is_forgotten(tmp_path: Path, store: Store, edit: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(DATA)
    memo = Memo(store)
    memo.sha256(region_of(path))
    memo.save()
    status = path.stat()
    if edit == "delete":
        path.unlink()
    elif edit == "replace":
        (tmp_path / "new").write_bytes(DATA[::-1])
        os.replace(tmp_path / "new", path)
    elif edit == "touch":
        os.utime(path)
    else:
        time.sleep(0.01)  # the clock of ext4 ticks every 4 ms
        path.write_bytes(DATA[::-1])
    if edit == "restore mtime":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert known(store, region_of(path)) is None


def test_same_size_edits_in_a_tight_loop_are_never_mistaken(tmp_path: Path, store: Store) -> None:
    """Each round is a build that hashes the file right after an edit of the same size."""
    path = tmp_path / "model"
    for round in range(60):
        data = bytes([round]) * 64
        path.write_bytes(data)
        memo = Memo(store)
        assert memo.sha256(region_of(path, 0, 64)) == sha256(data)
        memo.save()


def test_what_racy_means() -> None:
    now = 1_000_000_000_000
    old = now - RACY_NS
    assert Fingerprint(1, now, old, 1).racy(now)
    assert Fingerprint(1, old, now, 1).racy(now), "a restored mtime does not hide a fresh ctime"
    assert Fingerprint(1, now + 5, old, 1).racy(now), "from the future"
    assert not Fingerprint(1, old, old, 1).racy(now)


@pytest.mark.usefixtures("old_clock")
def test_two_builds_that_save_keep_each_others_digests(tmp_path: Path, store: Store) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    memos = [Memo(store), Memo(store)]
    for path, memo in zip(paths, memos, strict=True):
        path.write_bytes(DATA)
        memo.sha256(region_of(path))
    for memo in memos:
        memo.save()
    assert [known(store, region_of(path)) for path in paths] == [sha256(DATA)] * 2


@pytest.mark.usefixtures("old_clock")
def test_chunk_recipes_are_remembered(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "model"
    path.write_bytes(DATA)
    memo = Memo(store)
    assert memo.chunk(("a", "b")) is None
    memo.learn_chunk(("a", "b"), "c", 5, [str(path)])
    assert memo.chunk(("a", "b")) == ("c", 5)
    memo.save()
    assert Memo(store).chunk(["a", "b"]) == ("c", 5)
    assert Memo(store).chunk(("b", "a")) is None


@pytest.mark.usefixtures("old_clock")
def test_a_chunk_of_a_file_that_changed_meanwhile_is_not_remembered(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "model"
    path.write_bytes(DATA)
    memo = Memo(store)
    memo.lookup(region_of(path))
    path.write_bytes(DATA[::-1])
    memo.learn_chunk(("a",), "b", 5, [str(path)])
    memo.save()
    assert Memo(store).chunk(("a",)) is None


@pytest.mark.parametrize("data", [b"", b"\0" * 99, b"mbundle memo 1 xyz\n{}", b"[]"])
def test_a_damaged_memo_is_an_empty_one(store: Store, data: bytes) -> None:
    memo = Memo(store)
    memo.learn_chunk(("a",), "b", 1)
    memo.save()
    Path(store.folder, FILE).write_bytes(data)
    assert Memo(store).chunk(("a",)) is None


def test_sealed_nonsense_is_an_empty_memo(store: Store) -> None:
    values: list[object] = [[], {}, {"files": 3, "recipes": {}}, {"files": {"x": [1]}, "recipes": {}}]
    for value in values:
        store.put_record(FILE, "memo", value)
        assert Memo(store).chunk(("a",)) is None


def test_a_region_past_the_end_is_an_error_not_a_digest(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "model"
    path.write_bytes(DATA)
    with pytest.raises(OSError, match="ends 10 bytes early"):
        Memo(store).sha256(region_of(path, 0, len(DATA) + 10))


def test_nothing_learned_writes_nothing(store: Store) -> None:
    Memo(store).save()
    assert not Path(store.folder).exists()


@pytest.mark.usefixtures("old_clock")
def test_many_regions_are_hashed_in_order(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "model"
    data = os.urandom(5000)
    path.write_bytes(data)
    regions = [region_of(path, at, 50) for at in range(0, 5000, 50)]
    digests = Memo(store).sha256_all(regions)
    assert list(digests) == [sha256(data[at : at + 50]) for at in range(0, 5000, 50)]
