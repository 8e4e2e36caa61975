"""The pure cores: cut, label, layout, names."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.chunks import names
from bundler.chunks.cut import ALIGNMENT, Slice, Tensor, aligned, chunk_size, cut
from bundler.chunks.label import groups, labels
from bundler.chunks.layout import Plan, plan
from bundler.config.schema import ChunkSpec
from bundler.emit import ownership

SPEC = ChunkSpec(min_size=1 << 12, max_size=1 << 15)

numbers = st.integers(0, 200)
sizes = st.integers(1, 3 * SPEC.max_size) | st.integers(1, SPEC.min_size)


def tensor(number: int, nbytes: int) -> Tensor:
    return Tensor(hashlib.sha256(f"{number}:{nbytes}".encode()).hexdigest(), nbytes)


tensors = st.builds(tensor, numbers, sizes)
distinct = st.lists(tensors, unique=True, max_size=60)
small = st.builds(tensor, st.integers(0, 10**6), st.integers(1, SPEC.min_size - 1))
variant_ids = st.tuples(st.sampled_from("abc"), st.sampled_from(["fp32", "q8"]))
variants = st.dictionaries(variant_ids, st.lists(tensors, min_size=1, max_size=25), max_size=5)


def chunks_of(items: list[Tensor], spec: ChunkSpec = SPEC) -> list[tuple[Slice, ...]]:
    return [chunk for unit in cut(items, spec) for chunk in unit]


@given(distinct)
def test_every_byte_of_every_tensor_lies_in_one_chunk(items: list[Tensor]) -> None:
    found: dict[str, list[Slice]] = {}
    for piece in (piece for chunk in chunks_of(items) for piece in chunk):
        found.setdefault(piece.key, []).append(piece)
    assert found.keys() == {item.key for item in items}
    for item in items:
        pieces = found[item.key]
        assert [piece.start for piece in pieces] == [0, *(a.start + a.nbytes for a in pieces[:-1])]
        assert sum(piece.nbytes for piece in pieces) == item.nbytes


@given(distinct)
def test_no_chunk_is_larger_than_max(items: list[Tensor]) -> None:
    assert all(chunk_size(chunk) <= SPEC.max_size for chunk in chunks_of(items))


@given(distinct)
def test_a_group_is_smaller_than_min_only_at_the_end_or_before_a_tensor_that_does_not_fit(items: list[Tensor]) -> None:
    grouped = [chunk for chunk in chunks_of(items) if chunk[0].nbytes < SPEC.min_size and chunk[0].start == 0]
    for chunk, following in pairwise(grouped):
        assert chunk_size(chunk) >= SPEC.min_size or chunk_size(chunk) + aligned(following[0].nbytes) > SPEC.max_size


@given(distinct)
def test_a_tensor_of_at_least_min_has_the_same_chunks_in_any_company(items: list[Tensor]) -> None:
    large = [item for item in items if item.nbytes >= SPEC.min_size]
    keys = {item.key for item in large}
    assert [chunk for chunk in chunks_of(items) if chunk[0].key in keys] == chunks_of(large)
    assert chunks_of(large) == [chunk for item in large for chunk in chunks_of([item])]


@given(st.integers(SPEC.max_size + 1, 9 * SPEC.max_size), st.integers(1, SPEC.max_size))
def test_a_tensor_that_grows_at_its_end_changes_its_last_parts_only(nbytes: int, more: int) -> None:
    before = chunks_of([Tensor("k", nbytes)])
    after = chunks_of([Tensor("k", nbytes + more)])
    assert after[: len(before) - 1] == before[:-1]


@settings(max_examples=30)
@given(st.lists(small, unique=True, min_size=200, max_size=400), st.data())
def test_an_edit_moves_the_cuts_near_it_only(items: list[Tensor], data: st.DataObject) -> None:
    where = data.draw(st.integers(0, len(items) - 1))
    edit = data.draw(st.sampled_from(["change", "remove", "insert"]))
    new = tensor(-1, items[where].nbytes)
    edited = {
        "change": [*items[:where], new, *items[where + 1 :]],
        "remove": items[:where] + items[where + 1 :],
        "insert": [*items[:where], new, *items[where:]],
    }[edit]
    old = set(chunks_of(items))
    fresh = [chunk for chunk in chunks_of(edited) if chunk not in old]
    # Cuts fall into step again at the first hit that both see: usually the next one, and never far.
    assert sum(map(chunk_size, fresh)) <= 40 * SPEC.min_size


def test_groups_average_twice_the_minimum() -> None:
    items = [tensor(number, 100 + number % 800) for number in range(20_000)]
    sizes = [chunk_size(chunk) for chunk in chunks_of(items)]
    assert 1.7 < sum(sizes) / len(sizes) / SPEC.min_size < 2.3


@given(variants)
def test_a_label_is_the_set_of_holders(found: dict[tuple[str, str], list[Tensor]]) -> None:
    for key, label in labels(found).items():
        assert label == tuple(sorted(who for who, items in found.items() if key in {item.key for item in items}))


@given(variants)
def test_each_tensor_is_stored_once_however_many_hold_it(found: dict[tuple[str, str], list[Tensor]]) -> None:
    stored = [item.key for items in groups(found).values() for item in items]
    assert sorted(stored) == sorted({item.key for items in found.values() for item in items})


def check_plan(found: dict[tuple[str, str], list[Tensor]], made: Plan, cap: int) -> None:
    for variant, files in made.files.items():
        places = {key: place for file in files for key, *place in file.places}
        assert places.keys() == {item.key for item in found[variant]}
        for number, file in enumerate(files):
            assert file.path == f"weights-{number}"
            end = 0
            for index, offset in file.chunks:
                assert offset == end
                assert variant in made.chunks[index].label
                end += made.chunks[index].nbytes
            assert file.nbytes == end
            check_places(file.places, end)
            assert file.nbytes <= cap or len({key for key, _, _ in file.places}) == 1 or len(file.chunks) == 1


def check_places(places: tuple[tuple[str, int, int], ...], end: int) -> None:
    free = 0
    for _, offset, nbytes in places:
        assert offset % ALIGNMENT == 0
        assert offset >= free
        free = offset + nbytes
    assert free <= end


@given(variants, st.sampled_from([1, 1 << 14, 1 << 17, 1 << 30]))
def test_chunks_tile_their_file_and_tensors_have_aligned_places(
    found: dict[tuple[str, str], list[Tensor]], cap: int
) -> None:
    check_plan(found, plan(found, SPEC, cap), cap)


@given(variants)
def test_chunks_of_one_label_are_the_same_for_all_its_holders(found: dict[tuple[str, str], list[Tensor]]) -> None:
    made = plan(found, SPEC)
    for index, chunk in enumerate(made.chunks):
        holders = {variant for variant, files in made.files.items() for file in files if index in dict(file.chunks)}
        assert holders == set(chunk.label)


@given(variants, st.randoms(use_true_random=False))
def test_the_order_of_entries_decides_nothing(found: dict[tuple[str, str], list[Tensor]], random: object) -> None:
    shuffled = list(found.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = plan(found, SPEC), plan(dict(shuffled), SPEC)
    assert one.files == other.files
    assert one.chunks == other.chunks


@given(variants)
def test_the_keys_of_large_tensors_decide_nothing(found: dict[tuple[str, str], list[Tensor]]) -> None:
    """The writer plans before it has digested those."""

    def renamed(item: Tensor) -> Tensor:
        return item if item.nbytes < SPEC.min_size else Tensor(f"/models/x.onnx:{item.key[:9]}", item.nbytes)

    other = plan({variant: [renamed(item) for item in items] for variant, items in found.items()}, SPEC)
    one = plan(found, SPEC)
    assert [chunk.nbytes for chunk in one.chunks] == [chunk.nbytes for chunk in other.chunks]
    assert [file.chunks for files in one.files.values() for file in files] == [
        file.chunks for files in other.files.values() for file in files
    ]


@given(st.text(max_size=80), st.text(max_size=80))
def test_names_are_tame_whatever_they_are_made_from(one: str, other: str) -> None:
    sha256 = "0123456789abcdef" * 4
    for name in (names.graph(one, other, sha256), names.asset(one, sha256), names.asset(one + "." + other, sha256)):
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,127}", name)
        assert ownership.is_ours(f"assets/{name}")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("models/tokenizer.json", "tokenizer-0123456789abcdef.json"),
        ("/x/Vocab File.TXT", "vocab-file-0123456789abcdef.txt"),
        ("weird/.hidden", "hidden-0123456789abcdef"),
        ("词表.json", "x-0123456789abcdef.json"),
    ],
)
def test_names_of_assets(path: str, name: str) -> None:
    assert names.asset(path, "0123456789abcdef" * 4) == name
