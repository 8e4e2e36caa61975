"""`mbundle why`: what is in the output, for whom, and who brought it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from . import dist
from .cli import configure, run

TWO = '"a": Entry(source="models/a.onnx", variants={"q8": [quantize_dynamic()], "fp32": []}), '
TWO += '"b": Entry(source="models/b.onnx")'


@pytest.fixture
def built(app: Path) -> Path:
    configure(app, TWO, 'chunks=Chunks(min_size="4 KiB", max_size="8 KiB")')
    run(app, "build").ok()
    return app


def why(root: Path, thing: str) -> Any:
    return run(root, "why", thing, "--json").ok().json


def test_a_tensor_names_its_readers_its_chunks_and_who_shares_them(built: Path) -> None:
    answer = why(built, "w0")
    places = {place["variant"]: place for place in answer["places"]}
    assert set(places) == {"a/fp32", "b/default"}
    assert answer["absent"] == ["a/q8"]
    assert places["a/fp32"]["chunks"] == places["b/default"]["chunks"]
    assert places["a/fp32"]["bytes"] == 64 * 64 * 4
    assert sum(places["a/fp32"]["readBy"].values()) == 1
    assert len(places["a/fp32"]["chunks"]) == 2  # a tensor larger than a chunk
    for chunk in places["a/fp32"]["chunks"]:
        assert chunk["users"] == ["a/fp32", "b/default"]
        assert (built / "dist/assets" / chunk["file"]).stat().st_size == chunk["bytes"]
    assert {c["users"][0] for p in why(built, "w3")["places"] for c in p["chunks"] if len(c["users"]) == 1} == {
        "a/fp32", "b/default",
    }  # fmt: skip


def test_chunks_hold_all_bytes_of_all_stored_tensors_once(built: Path) -> None:
    manifest = dist.manifest(built / "dist")
    files = {
        chunk["file"]: chunk for variant in dist.variants(manifest) for d in variant["data"] for chunk in d["chunks"]
    }
    held: dict[str, int] = {}
    for file, chunk in files.items():
        answer = why(built, file[:12])
        assert (answer["kind"], answer["file"], answer["bytes"]) == ("chunk", file, chunk["bytes"])
        assert 0 < sum(one["bytes"] for one in answer["tensors"]) <= chunk["bytes"]
        for one in answer["tensors"]:
            held[one["name"]] = held.get(one["name"], 0) + one["bytes"]
    assert held["w0"] == 64 * 64 * 4
    assert held["w3"] == 2 * 64 * 64 * 4  # one of a, one of b


def test_an_operator_names_the_step_that_brought_it(built: Path) -> None:
    answer = why(built, "MatMulInteger")
    assert [place["variant"] for place in answer["places"]] == ["a/q8"]
    assert answer["broughtBy"] == ["quantize_dynamic"]
    assert answer["absent"] == ["a/fp32", "b/default"]
    assert answer["places"][0]["bytes"] >= 4 * 64 * 64
    assert why(built, "matmulinteger") == answer


def test_bytes_add_up_to_the_folder(built: Path) -> None:
    answer = why(built, "bytes")
    sizes = [path.stat().st_size for path in (built / "dist/assets").iterdir() if path.suffix in (".bin", ".onnx")]
    assert answer["stored"] == sum(sizes)
    rows = {row["variant"]: row for row in answer["variants"]}
    measured = dist.manifest(built / "dist")["entries"]["a"]["variants"][1]["measured"]["bytes"]
    assert rows["a/fp32"]["bytes"] == measured
    assert 0 < rows["a/fp32"]["shared"] < measured


def test_people_read_it_at_80_columns_and_a_slip_is_mended(built: Path) -> None:
    for thing in ("bytes", "w0", "MatMulInteger", why(built, "w0")["places"][0]["chunks"][0]["file"]):
        shown = run(built, "why", thing).ok().stdout
        assert shown
        assert max(map(len, shown.splitlines())) <= 80
    wrong = run(built, "why", "MatMulInteger8")
    assert (wrong.status, "MB530" in wrong.stderr, "Did you mean MatMulInteger" in wrong.stderr) == (2, True, True)


def test_it_looks_where_the_config_builds(app: Path) -> None:
    configure(app, TWO, 'output=Output(dir="public/models")')
    none = run(app, "why", "bytes")
    assert (none.status, "error[MB197]" in none.stderr) == (2, True), none.stderr
    run(app, "build").ok()
    assert why(app, "w0") == run(app, "why", "w0", "--json", "--dist", "public/models").ok().json
