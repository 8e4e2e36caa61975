"""Chunks on the disk: what is read, what is written, what is not, and what happens when a source moves."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundler.chunks.label import VariantId
from bundler.chunks.memo import BuildMemo
from bundler.chunks.placement import Placement
from bundler.chunks.sources import Sources
from bundler.chunks.write import plan_chunks
from bundler.config.schema import ChunkSpec
from bundler.emit.transaction import Transaction
from bundler.errors import InputError, MbundleError
from bundler.graph.model import Model, Region
from tests.emit_project import SPEC, build, model, of, tree, two_entries

Models = dict[VariantId, Model]


def logical_files(dist: Path, placement: Placement) -> dict[str, bytes]:
    """The logical files put together from the chunks, each checked against its name and digest."""
    found = {}
    for file in placement.data:
        content = b""
        for chunk in file.chunks:
            data = (dist / "assets" / chunk.file).read_bytes()
            assert hashlib.sha256(data).hexdigest() == chunk.sha256
            assert (len(data), chunk.offset, chunk.file[:16]) == (chunk.nbytes, len(content), chunk.sha256[:16])
            content += data
        assert len(content) == file.nbytes
        found[file.path] = content
    return found


def source_bytes(region: Region) -> bytes:
    return Path(region.path).read_bytes()[region.offset : region.offset + region.length]


def assert_all_there(dist: Path, models: Models, placements: dict[VariantId, Placement]) -> None:
    for variant, placement in placements.items():
        files = logical_files(dist, placement)
        for weight, place in zip(models[variant].weights, placement.places, strict=True):
            if place is not None:
                path, offset = place
                assert offset % 64 == 0
                assert files[path][offset : offset + weight.region.length] == source_bytes(weight.region)


def test_every_weight_can_be_read_back_from_its_place(tmp_path: Path) -> None:
    models = two_entries(tmp_path, 0)
    _, placements = build(tmp_path, models)
    assert_all_there(tmp_path / "dist", models, placements)
    assert placements["tiny0", "fp32"] == Placement((), (None,))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1024, 90_000), min_size=1, max_size=12),
    repeats=st.lists(st.integers(0, 11), max_size=6),
    spec=st.sampled_from([SPEC, ChunkSpec(2048, 4096), ChunkSpec(1, 1 << 20), ChunkSpec(3000, 5000)]),
)
def test_whatever_the_sizes(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], repeats: list[int], spec: ChunkSpec
) -> None:
    folder = tmp_path_factory.mktemp("project")
    whole = model(folder / "a.weights", sizes, gap=3)
    again = [whole.weights[number % len(sizes)] for number in repeats]
    models = {("a", "x"): of([*whole.weights, *again]), ("a", "y"): of([*again, *whole.weights[::2]])}
    _, placements = build(folder, models, spec=spec)
    assert_all_there(folder / "dist", models, placements)
    assert all(
        chunk.nbytes <= max(64, spec.max_size + 63) for p in placements.values() for f in p.data for chunk in f.chunks
    )


@pytest.mark.parametrize("size", [3000, 20_000, 100_000], ids=["small", "one chunk", "parts"])
def test_equal_bytes_are_stored_once_whatever_file_they_come_from(tmp_path: Path, size: int) -> None:
    one = model(tmp_path / "one.weights", [size, 40_000], seed=1)
    copy = model(tmp_path / "copy.weights", [size], seed=1, gap=5)
    other = model(tmp_path / "other.weights", [40_000], seed=2)
    models = {("a", "x"): of([*one.weights, *copy.weights]), ("b", "x"): of([*copy.weights, *other.weights])}
    _, placements = build(tmp_path, models)
    first, _, twin = placements["a", "x"].places
    assert first == twin
    names = [{chunk.file for file in placements[entry, "x"].data for chunk in file.chunks} for entry in "ab"]
    assert names[0] & names[1]
    stored = sum(path.stat().st_size for path in (tmp_path / "dist/assets").glob("*.bin"))
    assert stored < size + 40_000 * 2 + 64 * 8
    assert_all_there(tmp_path / "dist", models, placements)


def test_same_size_and_samples_but_other_bytes_are_told_apart(tmp_path: Path) -> None:
    content = bytearray(200_000)
    (tmp_path / "a.weights").write_bytes(content)
    content[30_000] = 1  # none of the places that are sampled
    (tmp_path / "b.weights").write_bytes(content)
    regions = [Region(str(tmp_path / f"{name}.weights"), 0, len(content)) for name in "ab"]
    weights = model(tmp_path / "c.weights", [1024, 1024]).weights
    both = of([replace(weight, region=region) for weight, region in zip(weights, regions, strict=True)])
    _, placements = build(tmp_path, {("a", "x"): both})
    assert len(set(placements["a", "x"].places)) == 2
    assert_all_there(tmp_path / "dist", {("a", "x"): both}, placements)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> dict[Region, int]:
    """Bytes read, by region asked for; samples of probable twins are left out."""
    read: dict[Region, int] = {}
    guard = threading.Lock()
    blocks = Sources.blocks

    def counting(self: Sources, region: Region):  # type: ignore[no-untyped-def]
        with guard:
            read[region] = read.get(region, 0) + region.length
        yield from blocks(self, region)

    monkeypatch.setattr(Sources, "blocks", counting)
    return read


def test_large_weights_that_nobody_shares_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = {("a", "x"): model(tmp_path / "a.weights", [100_000, 50_001, 20_000])}
    read = count_reads(monkeypatch)
    build(tmp_path, models)
    assert set(read.values()) <= {region.length for region in read}
    assert sum(read.values()) == 170_001


def test_a_warm_build_reads_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = two_entries(tmp_path, 0)
    memo = BuildMemo()
    build(tmp_path, models, memo=memo)
    before = tree(tmp_path / "dist")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "dist").rglob("*")}
    read = count_reads(monkeypatch)
    committed, _ = build(tmp_path, models, memo=memo)
    assert all(region.length <= 4096 for region in read)  # samples
    assert (committed.written, committed.removed) == ((), ())
    assert tree(tmp_path / "dist") == before
    assert {path: path.stat().st_mtime_ns for path in stamps if path.is_file()} == {
        path: stamp for path, stamp in stamps.items() if path.is_file()
    }


def test_an_update_reads_and_writes_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = BuildMemo()
    base = model(tmp_path / "base.weights", [50_000, 60_000])
    build(tmp_path, {("a", "x"): base}, memo=memo)
    more = model(tmp_path / "more.weights", [10_000], seed=3)
    read = count_reads(monkeypatch)
    committed, _ = build(tmp_path, {("a", "x"): of([*base.weights, *more.weights])}, memo=memo)
    assert sum(read.values()) == 10_000
    assert len([name for name in committed.written if name.endswith(".bin")]) == 1


def test_of_a_model_that_was_saved_again_only_what_changed_is_staged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows any digest of the new file, so all of it is read; writing it again to find out would take longer."""
    old = model(tmp_path / "a.weights", [50_000, 60_000, 12_345, 2_000, 3_000])
    build(tmp_path, {("a", "x"): old})
    content = bytearray((tmp_path / "a.weights").read_bytes())
    content[50_000] ^= 1  # the second weight's first byte
    (tmp_path / "b.weights").write_bytes(content)
    new = of([replace(one, region=replace(one.region, path=str(tmp_path / "b.weights"))) for one in old.weights])
    staged = []
    stage = Transaction.stage
    monkeypatch.setattr(Transaction, "stage", lambda self: staged.append(1) or stage(self))
    committed, placements = build(tmp_path, {("a", "x"): new})
    assert len(staged) == len([name for name in committed.written if name.endswith(".bin")]) == 1
    assert_all_there(tmp_path / "dist", {("a", "x"): new}, placements)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_number_of_threads_decides_nothing(tmp_path: Path, threads: int) -> None:
    trees = []
    for count in (2, threads):
        folder = tmp_path / str(count)
        folder.mkdir(exist_ok=True)
        build(folder, two_entries(folder, 0), threads=count)
        trees.append(tree(folder / "dist"))
    assert trees[0] == trees[1]


def test_a_plan_writes_nothing_and_says_what_a_build_would_write(tmp_path: Path) -> None:
    models = two_entries(tmp_path, 0)
    planned = plan_chunks(models, SPEC, BuildMemo())
    assert not (tmp_path / "dist").exists()
    _, placements = build(tmp_path, models)
    for variant, files in planned.files.items():
        assert [(file.path, file.nbytes) for file in files] == [(f.path, f.nbytes) for f in placements[variant].data]
        sizes = [planned.chunks[index].nbytes for file in files for index, _ in file.chunks]
        assert sizes == [chunk.nbytes for file in placements[variant].data for chunk in file.chunks]


def codes(error: MbundleError) -> list[str]:
    return [found.code for found in error.problems]


def test_a_source_that_changes_meanwhile_fails_the_build_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {("a", "x"): model(tmp_path / "a.weights", [100_000, 50_000])}
    blocks = Sources.blocks

    def meddling(self: Sources, region: Region):  # type: ignore[no-untyped-def]
        yield from blocks(self, region)
        with open(region.path, "r+b") as file:
            file.write(b"new")
        os.utime(region.path, ns=(1, 1))

    monkeypatch.setattr(Sources, "blocks", meddling)
    with pytest.raises(InputError) as caught:
        build(tmp_path, models)
    assert codes(caught.value) == ["MB411"]
    assert caught.value.problems[0].file.endswith("a.weights")
    assert not (tmp_path / "dist").exists()


def test_bytes_that_differ_between_two_readings_fail_although_the_stat_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {("a", "x"): model(tmp_path / "a.weights", [100_000])}
    memo = BuildMemo()
    memo.learn(Region(str(tmp_path / "a.weights"), 0, SPEC.max_size), "0" * 64)
    with pytest.raises(InputError) as caught:
        build(tmp_path, models, memo=memo)
    assert codes(caught.value) == ["MB411"]


@pytest.mark.parametrize("size", [2000, 100_000])
def test_a_source_that_is_too_short_or_gone_is_named(tmp_path: Path, size: int) -> None:
    whole = model(tmp_path / "a.weights", [40_000, size])
    with open(tmp_path / "a.weights", "r+b") as file:
        file.truncate(40_000 + size - 1)
    with pytest.raises(InputError, match=r"MB412.*ends before byte") as caught:
        build(tmp_path, {("a", "x"): whole})
    assert caught.value.problems[0].file.endswith("a.weights")
    (tmp_path / "a.weights").unlink()
    with pytest.raises(InputError, match=r"MB412.*No such file"):
        build(tmp_path, {("a", "x"): whole})
    assert not (tmp_path / "dist").exists()
