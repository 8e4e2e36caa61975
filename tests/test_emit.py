"""The output folder: refusals, ownership, generations, failures, and two builds at once."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bundler.chunks.memo import BuildMemo
from bundler.emit import lock, ownership, refuse, staging
from bundler.emit.failure import output_error
from bundler.emit.ownership import FileMark
from bundler.emit.transaction import Transaction
from bundler.errors import BugError, MbundleError, OutputError
from tests import crash
from tests.emit_project import build, prepare, tree, two_entries

MANIFEST = b'{"version":1}\n'


def code(error: MbundleError) -> str:
    (found,) = error.problems
    return found.code


def transaction(root: Path, **options: object) -> Transaction:
    return Transaction(str(root / "dist"), str(root), **options)  # type: ignore[arg-type]


def emit(root: Path, files: dict[str, bytes], manifest: bytes = MANIFEST, keep: int = 2) -> tuple[str, ...]:
    """Commits a build whose pointers and chunks are `files`; returns what was removed."""
    with transaction(root, keep=keep) as tx:
        for name, data in files.items():
            if not ownership.is_pointer(name):
                tx.put(name, data)
        return tx.commit({name: data for name, data in files.items() if ownership.is_pointer(name)}, manifest).removed


def chunk(number: int) -> str:
    return f"assets/{number:016x}.bin"


# -- refusals


@pytest.mark.parametrize("out", [".", "..", "../..", "/", "~"])
def test_the_project_and_what_contains_it_are_refused(tmp_path: Path, out: str) -> None:
    root = tmp_path / "a" / "project"
    root.mkdir(parents=True)
    path = os.path.expanduser(out) if out[0] in "~/" else str(root / out)
    with pytest.raises(OutputError) as caught:
        refuse.check(path, str(root))
    assert code(caught.value) == "MB400"


def test_a_folder_with_an_input_is_refused_even_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "model.onnx").touch()
    (tmp_path / "model.onnx").symlink_to("dist/model.onnx")
    for name in ("dist/model.onnx", "model.onnx"):
        with pytest.raises(OutputError) as caught:
            refuse.check(str(tmp_path / "dist"), str(tmp_path), [str(tmp_path / name)])
        assert code(caught.value) == "MB401"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dist").touch()
    with pytest.raises(OutputError) as caught, transaction(tmp_path):
        pass
    assert code(caught.value) == "MB402"


def test_a_link_out_of_the_project_is_refused_and_one_inside_is_not(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "real").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / "in").symlink_to(root / "real")
    with pytest.raises(OutputError) as caught:
        refuse.check(str(root / "out"), str(root))
    assert code(caught.value) == "MB403"
    with pytest.raises(OutputError):
        refuse.check(str(root / "out" / "deeper"), str(root))
    assert refuse.check(str(root / "in"), str(root)) == str(root / "in")


def test_a_folder_beside_the_project_is_fine(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    assert refuse.check(str(root / "../public"), str(root)) == str(tmp_path / "public")


@pytest.mark.parametrize("folder", ["assets", "entries"])
def test_a_link_in_place_of_our_folder_is_not_followed(tmp_path: Path, folder: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError) as caught:
        emit(tmp_path, {chunk(1): b"1", "entries/a.js": b"a"})
    assert code(caught.value) == "MB402"
    assert not list((tmp_path / "elsewhere").iterdir())


# -- ownership


def test_what_is_not_ours_is_neither_removed_nor_replaced(tmp_path: Path) -> None:
    (tmp_path / "dist/assets").mkdir(parents=True)
    for name in ("index.html", "assets/logo.png"):
        (tmp_path / "dist" / name).write_text("mine")
    for number in range(4):
        emit(tmp_path, {chunk(number): b"%d" % number}, b'{"n":%d}' % number)
    assert (tmp_path / "dist/index.html").read_text() == (tmp_path / "dist/assets/logo.png").read_text() == "mine"
    (tmp_path / "dist/models.js").write_text("mine")
    before = tree(tmp_path / "dist")
    with pytest.raises(OutputError) as caught:
        emit(tmp_path, {"models.js": b"ours", chunk(9): b"9"})
    assert code(caught.value) == "MB404"
    assert caught.value.problems[0].file.endswith("models.js")
    assert tree(tmp_path / "dist") == before


def test_an_equal_file_is_adopted(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/models.js").write_bytes(b"ours")
    emit(tmp_path, {"models.js": b"ours"})
    emit(tmp_path, {"models.js": b"ours 2"}, b"{}")
    assert (tmp_path / "dist/models.js").read_bytes() == b"ours 2"


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_as_many_generations_stay_as_the_config_says(tmp_path: Path, keep: int) -> None:
    for number in range(6):
        emit(tmp_path, {chunk(number): b"x", f"entries/e{number}.js": b"x"}, b"%d" % number, keep)
    left = sorted(path.name for path in (tmp_path / "dist/assets").glob("*.bin"))
    assert left == [f"{number:016x}.bin" for number in range(6 - keep, 6)]
    assert len(list((tmp_path / "dist/entries").iterdir())) == keep
    assert len(list((tmp_path / "dist/assets").glob("manifest-*"))) == keep


def test_building_the_same_again_costs_no_generation(tmp_path: Path) -> None:
    emit(tmp_path, {chunk(1): b"1"}, b"1")
    emit(tmp_path, {chunk(2): b"2"}, b"2")
    before = tree(tmp_path / "dist")
    for _ in range(3):
        assert emit(tmp_path, {chunk(2): b"2"}, b"2") == ()
    assert tree(tmp_path / "dist") == before
    emit(tmp_path, {chunk(1): b"1"}, b"1")  # and back
    emit(tmp_path, {chunk(2): b"2"}, b"2")
    assert tree(tmp_path / "dist") == before


@pytest.mark.parametrize("damage", ["alter", "truncate", "delete"])
@pytest.mark.parametrize("name", [chunk(1), "models.js", "model-manifest.json"])
def test_a_file_of_ours_that_was_altered_by_hand_is_emitted_again(tmp_path: Path, damage: str, name: str) -> None:
    files = {chunk(1): b"chunk", "models.js": b"models"}
    emit(tmp_path, files)
    before = tree(tmp_path / "dist")
    path = tmp_path / "dist" / name
    size = path.stat().st_size
    {"alter": lambda: path.write_bytes(b"!" * size), "truncate": lambda: os.truncate(path, 1), "delete": path.unlink}[
        damage
    ]()
    emit(tmp_path, files)
    assert tree(tmp_path / "dist") == before


@pytest.mark.parametrize(
    "name",
    ["index.html", "../victim", "assets/../../victim", "assets/logo.png", "/etc/passwd", "entries/../index.html", ""],
)
def test_a_forged_record_deletes_nothing_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "dist/assets").mkdir(parents=True)
    victims = [tmp_path / "victim", tmp_path / "dist/index.html", tmp_path / "dist/assets/logo.png"]
    for victim in victims:
        victim.write_text("mine")
    forged = {"version": 1, "generations": [{name: [4, "0" * 64]}, {chunk(7): [4, "0" * 64]}]}
    (tmp_path / "dist/.mbundle.json").write_text(json.dumps(forged))
    for number in range(4):
        emit(tmp_path, {}, b"%d" % number)
    assert all(victim.read_text() == "mine" for victim in victims)


def test_a_name_of_ours_that_has_become_a_link_is_not_followed(tmp_path: Path) -> None:
    emit(tmp_path, {chunk(1): b"1"}, b"1", keep=1)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / f"{1:016x}.bin").write_text("mine")
    (tmp_path / "dist/assets").rename(tmp_path / "moved")
    (tmp_path / "dist/assets").symlink_to(tmp_path / "victim")
    with pytest.raises(OutputError):
        emit(tmp_path, {chunk(2): b"2"}, b"2", keep=1)
    assert (tmp_path / "victim" / f"{1:016x}.bin").read_text() == "mine"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"version":2,"generations":[]}', b'{"version":1,"generations":[1]}', b"[" * 100_000],
)
def test_a_damaged_record_is_a_warning(tmp_path: Path, content: bytes) -> None:
    emit(tmp_path, {chunk(1): b"1"})
    (tmp_path / "dist/.mbundle.json").write_bytes(content)
    with transaction(tmp_path) as tx:
        tx.put(chunk(1), b"1")
        committed = tx.commit({}, MANIFEST)
    assert [warning.code for warning in committed.warnings] == ["MB414"]
    assert (tmp_path / "dist" / chunk(1)).exists()


def test_names_that_are_not_ours_cannot_be_emitted(tmp_path: Path) -> None:
    with transaction(tmp_path) as tx:
        with pytest.raises(BugError):
            tx.put("assets/../x", b"")
        tx.put(chunk(1), b"1")
        with pytest.raises(BugError):
            tx.put(chunk(1), b"2")


# -- all or nothing


def test_without_a_commit_nothing_has_happened(tmp_path: Path) -> None:
    with transaction(tmp_path) as tx:
        tx.put(chunk(1), b"1")
    assert not (tmp_path / "dist").exists()
    emit(tmp_path, {chunk(1): b"1"})
    before = tree(tmp_path / "dist")
    with contextlib.suppress(KeyboardInterrupt), transaction(tmp_path) as tx:
        tx.put(chunk(2), b"2")
        raise KeyboardInterrupt
    assert tree(tmp_path / "dist") == before


def test_files_have_the_mode_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        emit(tmp_path, {chunk(1): b"1", "entries/a.js": b"", "models.js": b""})
    finally:
        os.umask(old)
    for path in (tmp_path / "dist").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o750 if path.is_dir() else 0o640), path


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, "MB405"),
        (errno.EDQUOT, "MB405"),
        (errno.EACCES, "MB406"),
        (errno.EROFS, "MB407"),
        (errno.EMFILE, "MB408"),
        (errno.EIO, "MB409"),
        (errno.ENOTDIR, "MB402"),
    ],
)
def test_what_the_system_refuses_is_told_with_path_and_remedy(number: int, expected: str) -> None:
    (found,) = output_error(OSError(number, os.strerror(number), "/out/dist/x"), "/out").problems
    assert (found.code, found.file) == (expected, "/out/dist/x")
    assert os.strerror(number) in found.what
    assert found.fix


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir(mode=0o555)
    with pytest.raises(OutputError) as caught:
        emit(tmp_path, {})
    assert code(caught.value) == "MB406"


# -- leftovers and locks


def test_what_a_killed_build_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    emit(tmp_path, {})
    living = staging.Staging(str(tmp_path / "dist"))
    living.write(b"x")
    dead = tmp_path / "dist" / f".tmp-{os.getpid()}-0123456789abcdef"
    dead.mkdir()
    (dead / "0").write_bytes(b"x" * 100)
    emit(tmp_path, {}, b"2")
    assert [path.name for path in (tmp_path / "dist").glob(".tmp-*")] == [os.path.basename(living._path)]
    living.close(keep_announcement=False)


def test_a_build_waits_for_the_other_one_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    entered = threading.Event()
    order: list[str] = []

    def other() -> None:
        with transaction(tmp_path, waiting=told.append):
            order.append("second")
        entered.set()

    with transaction(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        for _ in range(200):
            if told:
                break
            time.sleep(0.01)
        order.append("first")
    assert entered.wait(10)
    thread.join()
    assert order == ["first", "second"]
    assert len(told) == 1
    assert str(tmp_path / "dist") in told[0]


def test_patience_ends(tmp_path: Path) -> None:
    with lock.FolderLock(str(tmp_path), print), pytest.raises(OutputError) as caught:
        lock.FolderLock(str(tmp_path), print, patience=0.1).__enter__()
    assert code(caught.value) == "MB410"


@pytest.fixture
def no_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network filesystem without locks."""

    def refused(folder: str) -> int | None:
        raise lock.NoLocks

    monkeypatch.setattr(lock, "lock_folder", refused)
    monkeypatch.setattr(staging, "lock_folder", refused)


@pytest.mark.usefixtures("no_flock")
def test_a_lock_file_serves_where_there_are_no_locks(tmp_path: Path) -> None:
    with lock.FolderLock(str(tmp_path), print):
        assert (tmp_path / lock.LOCK_FILE).exists()
        with pytest.raises(OutputError):
            lock.FolderLock(str(tmp_path), print, patience=0.1).__enter__()
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_flock")
@pytest.mark.parametrize("start", ["-", "1"])
def test_a_stale_lock_file_is_taken_over(tmp_path: Path, start: str) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    owner = dead.pid if start == "-" else os.getpid()  # gone, or the same number and another process
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / lock.LOCK_FILE).write_text(f"{owner} {start} {os.uname().nodename}")
    emit(tmp_path, {chunk(1): b"1"})
    assert not list((tmp_path / "dist").glob(".mbundle.lock"))


@pytest.mark.usefixtures("no_flock")
def test_without_locks_a_build_leaves_alone_what_another_one_has_announced(tmp_path: Path) -> None:
    emit(tmp_path, {chunk(1): b"1"}, b"1", keep=1)
    other = staging.Staging(str(tmp_path / "dist"))
    other.announce({chunk(1): FileMark(1, "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b")})
    emit(tmp_path, {chunk(2): b"2"}, b"2", keep=1)
    assert (tmp_path / "dist" / chunk(1)).exists()
    other.close(keep_announcement=False)


@pytest.mark.usefixtures("no_flock")
def test_without_locks_a_build_that_lost_a_file_to_another_one_fails(tmp_path: Path) -> None:
    emit(tmp_path, {chunk(1): b"1"})
    with transaction(tmp_path) as tx:
        tx.put(chunk(1), b"1")
        tx.put(chunk(2), b"2")
        (tmp_path / "dist" / chunk(1)).unlink()
        with pytest.raises(OutputError) as caught:
            tx.commit({}, b"2")
    assert code(caught.value) == "MB413"
    assert not (tmp_path / "dist" / chunk(2)).exists()


@pytest.mark.parametrize("rounds", [2])
def test_eight_builds_at_once(tmp_path: Path, rounds: int) -> None:
    prepare(tmp_path, revisions=2)
    alone = []
    for revision in "01":
        subprocess.run([sys.executable, "-m", "tests.emit_project", tmp_path, revision], check=True)
        alone.append((tmp_path / "dist/model-manifest.json").read_bytes())
    for _ in range(rounds):
        command = [sys.executable, "-m", "tests.emit_project", tmp_path]
        builds = [subprocess.Popen([*command, str(number % 2)]) for number in range(8)]
        assert [build.wait() for build in builds] == [0] * 8
        assert (tmp_path / "dist/model-manifest.json").read_bytes() in alone
        assert crash.faults(tmp_path / "dist") == []
        assert not list((tmp_path / "dist").glob(".tmp-*"))


def test_a_build_is_whole_by_the_sweeps_own_measure(tmp_path: Path) -> None:
    build(tmp_path, two_entries(tmp_path, 0), memo=BuildMemo())
    assert crash.faults(tmp_path / "dist") == []
    victim = next((tmp_path / "dist/assets").glob("*.bin"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    assert crash.faults(tmp_path / "dist") != []
