"""The store never raises, never believes a damaged entry, and never shows half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundler.cache.blob import Blob
from bundler.cache.location import cache_folder, state_folder
from bundler.cache.store import FOLDER, Store
from bundler.errors import Problem
from tests.cache_models import files_of, sha256

ROOT = Path(__file__).resolve().parent.parent
DATA = bytes(range(256)) * 40


@pytest.fixture
def told() -> list[Problem]:
    return []


@pytest.fixture
def store(tmp_path: Path, told: list[Problem]) -> Store:
    return Store(str(tmp_path / "cache"), told.append)


def put(store: Store, data: bytes = DATA) -> tuple[Blob, Path]:
    blob = store.put_bytes(data)
    assert blob is not None
    return blob, Path(store.blob_path(blob.digest))


def test_a_blob_lies_under_its_digest_and_comes_back(store: Store, told: list[Problem]) -> None:
    blob, path = put(store)
    assert blob == Blob(sha256(DATA), len(DATA))
    assert path == Path(store.folder, "blobs", blob.digest[:2], blob.digest[2:])
    assert store.get(blob) == str(path)
    assert store.get_bytes(blob) == DATA
    assert told == []


def test_a_blob_written_in_pieces_is_the_same_blob(store: Store) -> None:
    with store.writer() as writer:
        writer.write(DATA[:100])
        assert writer.size == 100
        writer.write(memoryview(DATA)[100:])
    assert writer.blob == put(store)[0]


def test_the_folder_says_what_it_is_to_backup_tools_and_git(store: Store) -> None:
    put(store)
    assert Path(store.folder, "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    assert Path(store.folder, ".gitignore").read_text() == "*\n"


def test_a_folder_that_somebody_uses_is_not_tagged_and_not_ignored(tmp_path: Path) -> None:
    put(Store(str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]


def test_reading_makes_no_folder(store: Store) -> None:
    assert store.get(Blob(sha256(b""), 0)) is None
    assert store.get_record("steps/ab/cd.json", "step") is None
    assert not Path(store.folder).exists()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    replace(path, bytes(data))


def replace(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def as_link(path: Path) -> None:
    elsewhere = path.with_suffix(".elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: replace(path, DATA[:-1]),
    "longer": lambda path: replace(path, DATA + b"\0"),
    "flipped": flip,
    "empty": lambda path: replace(path, b""),
    "another blob": lambda path: replace(path, DATA[::-1]),
    "link": as_link,
    "pipe": as_pipe,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("read", [Store.get, Store.get_bytes])
def test_damage_is_a_miss_told_once_and_mended_by_the_next_put(
    store: Store, told: list[Problem], damage: Callable[[Path], object], read: Callable[[Store, Blob], object]
) -> None:
    blob, path = put(store)
    damage(path)
    assert read(store, blob) is None
    assert [problem.code for problem in told] == ["MB452"]
    assert told[0].severity == "warning"
    assert not path.exists()
    assert not path.is_symlink()
    put(store)
    assert store.get_bytes(blob) == DATA


def test_a_put_mends_a_damaged_blob_that_nobody_read(store: Store, told: list[Problem]) -> None:
    blob, path = put(store)
    flip(path)
    put(store)
    assert store.get_bytes(blob) == DATA
    assert told == []


def test_a_vanished_blob_is_a_quiet_miss(store: Store, told: list[Problem]) -> None:
    blob, path = put(store)
    path.unlink()
    assert store.get(blob) is None
    assert store.get_bytes(blob) is None
    assert told == []


@pytest.mark.parametrize("data", [b"", b"mbundle", b"mbundle step 1 " + b"0" * 64 + b"\n{}", b"\xff" * 99])
def test_a_damaged_record_is_a_miss_and_goes(store: Store, told: list[Problem], data: bytes) -> None:
    assert store.put_record("steps/ab/c.json", "step", {"a": 1})
    assert store.get_record("steps/ab/c.json", "step") == {"a": 1}
    path = Path(store.folder, "steps/ab/c.json")
    path.write_bytes(data)
    assert store.get_record("steps/ab/c.json", "step") is None
    assert [problem.code for problem in told] == ["MB452"]
    assert not path.exists()


def test_a_record_of_another_kind_is_a_miss(store: Store) -> None:
    store.put_record("x.json", "memo", {})
    assert store.get_record("x.json", "step") is None


def test_each_single_flipped_bit_of_a_record_is_seen(store: Store) -> None:
    store.put_record("x.json", "step", {"a": [1, "two"]})
    path = Path(store.folder, "x.json")
    whole = path.read_bytes()
    for index in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[index // 8] ^= 1 << index % 8
        path.write_bytes(flipped)
        assert store.get_record("x.json", "step") is None, index


def test_a_folder_that_is_a_file_costs_the_cache_and_one_warning(tmp_path: Path, told: list[Problem]) -> None:
    (tmp_path / "cache").write_text("not a folder")
    store = Store(str(tmp_path / "cache"), told.append)
    assert store.put_bytes(DATA) is None
    assert store.put_bytes(DATA) is None
    assert store.put_record("x.json", "step", {}) is False
    assert store.get(Blob(sha256(DATA), len(DATA))) is None
    assert [problem.code for problem in told] == ["MB450"]
    scratch = store.scratch()
    assert os.path.isdir(scratch)
    store.close()
    assert not os.path.exists(scratch)


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "MB451"), (errno.EDQUOT, "MB451"), (errno.EIO, "MB450")])
def test_an_error_while_writing_costs_the_cache_and_one_warning(
    store: Store, told: list[Problem], number: int, code: str
) -> None:
    put(store)
    with store.guard():
        raise OSError(number, os.strerror(number))
    assert not store.writable
    assert store.put_bytes(b"new") is None
    assert [problem.code for problem in told] == [code]
    assert store.get_bytes(Blob(sha256(DATA), len(DATA))) == DATA


def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes the kernel refuse the bytes past 64 KiB: the same path as a full disk."""
    code = (
        "import resource, signal, sys; from bundler.cache.store import Store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "store = Store(sys.argv[1], lambda problem: print(problem.code))\n"
        "print(store.put_bytes(b'a' * 1000) is not None, store.put_bytes(b'b' * 10**6), store.put_bytes(b'c'))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["MB451", "True", "None", "None"]
    store = Store(str(tmp_path))
    assert [path.stat().st_size for path in files_of(store, "blobs")] == [1000]
    assert files_of(store, "tmp") == []


@pytest.fixture
def plain_folder() -> Iterator[Path]:
    """A folder of an ordinary user, who the test then is: root may read and write everything."""
    folder = Path(tempfile.mkdtemp())
    nobody = 65534
    if os.geteuid() == 0:
        os.chown(folder, nobody, nobody)
        os.seteuid(nobody)
    yield folder
    if os.getuid() == 0:
        os.seteuid(0)
    shutil.rmtree(folder)


def test_a_folder_without_rights_costs_the_cache_and_one_warning(plain_folder: Path, told: list[Problem]) -> None:
    plain_folder.chmod(0o555)
    store = Store(str(plain_folder / "cache"), told.append)
    assert store.put_bytes(DATA) is None
    assert store.put_bytes(DATA) is None
    assert [problem.code for problem in told] == ["MB450"]


def test_a_read_only_cache_still_gives_what_it_has(plain_folder: Path, told: list[Problem]) -> None:
    blob, path = put(Store(str(plain_folder)))
    for folder in (path.parent, *path.parents[1:3], Path(plain_folder, FOLDER, "tmp")):
        folder.chmod(0o555)
    store = Store(str(plain_folder), told.append)
    assert store.get_bytes(blob) == DATA
    assert store.put_bytes(b"new") is None
    assert store.get_bytes(blob) == DATA
    assert [problem.code for problem in told] == ["MB450"]
    for folder in (path.parent, *path.parents[1:3], Path(plain_folder, FOLDER, "tmp")):
        folder.chmod(0o755)


@pytest.mark.parametrize("read", [Store.get, Store.get_bytes])
def test_an_unreadable_blob_is_a_miss(
    plain_folder: Path, told: list[Problem], read: Callable[[Store, Blob], object]
) -> None:
    store = Store(str(plain_folder), told.append)
    blob, path = put(store)
    path.chmod(0)
    assert read(store, blob) is None
    assert [problem.code for problem in told] == ["MB452"]


def test_a_cache_of_another_format_is_neither_read_nor_touched(tmp_path: Path) -> None:
    other = tmp_path / "mbundle-v999" / "blobs" / "ab"
    other.mkdir(parents=True)
    (other / "cd").write_bytes(b"from the future")
    store = Store(str(tmp_path))
    put(store)
    assert (other / "cd").read_bytes() == b"from the future"


def test_an_exception_while_writing_leaves_no_file(store: Store) -> None:
    writing = contextlib.ExitStack()
    writer = writing.enter_context(store.writer())
    writer.write(DATA)
    assert len(files_of(store, "tmp")) == 1
    assert not writing.__exit__(RuntimeError, RuntimeError(), None)
    assert writer.blob is None
    assert files_of(store, "tmp") == []
    assert files_of(store, "blobs") == []


def test_where_the_cache_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(tmp_path / "app")
    monkeypatch.chdir(tmp_path)
    assert cache_folder(root, environ={}) == f"{root}/.mbundle/cache"
    assert cache_folder(root, environ={"MBUNDLE_CACHE_DIR": "c"}) == f"{root}/c"
    assert cache_folder(root, "c", environ={"MBUNDLE_CACHE_DIR": "/elsewhere"}) == f"{tmp_path}/c"
    assert state_folder(root) == f"{root}/.mbundle/state"


HAMMER = """
import random, sys
from bundler.cache import gc
from bundler.cache.blob import Blob
from bundler.cache.store import Store
folder, seed = sys.argv[1], int(sys.argv[2])
told = []
dice = random.Random(seed)
with Store(folder, told.append) as store:
    for round in range(120):
        data = bytes([dice.randrange(12)]) * (1 + 40_000 * dice.randrange(5))
        blob = store.put_bytes(data)
        assert blob is not None, told
        back = store.get_bytes(blob)
        assert back == data, (round, back and len(back), told)
        if dice.random() < 0.2:
            gc.collect(store, gc.Limits(size=0, age=0, grace=0))
assert not told, told
"""


def test_eight_processes_put_get_and_collect_at_once(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", HAMMER, str(tmp_path), str(seed)], cwd=ROOT, stderr=subprocess.PIPE)
        for seed in range(8)
    ]
    errors = [worker.communicate(timeout=60)[1].decode() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8, "\n".join(errors)
    store = Store(str(tmp_path))
    assert files_of(store, "tmp") == []
    assert files_of(store, "live") == []
    assert all(sha256(path.read_bytes()) == path.parent.name + path.name for path in files_of(store, "blobs"))
