"""The manifest: written, described by its schema, and read back without trust."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.emit.manifest import SIZE_LIMIT, Manifest, read_manifest
from bundler.emit.manifest_reader import parse
from bundler.errors import InputError
from tests.emit_project import build, two_entries

SCHEMA = json.loads((Path(__file__).parents[1] / "docs/manifest.schema.json").read_text())


def strict(schema: Any) -> Any:
    """The schema with fields it does not describe refused: for what we write ourselves."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        found["additionalProperties"] = False
    return found


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "labels.txt").write_text("cat\n")
    build(folder, two_entries(folder, 0))
    return folder / "dist"


@pytest.fixture(scope="module")
def good(dist: Path) -> Any:
    return json.loads((dist / "model-manifest.json").read_bytes())


def problem_of(value: Any) -> tuple[str, str]:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(InputError) as caught:
        parse(data, "dist/model-manifest.json")
    (found,) = caught.value.problems
    assert found.file == "dist/model-manifest.json"
    assert found.fix
    return found.code, found.what


def test_the_schema_is_one_and_describes_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def walk(node: Any, at: str) -> None:
        for name, child in node.get("properties", {}).items():
            assert "description" in child or "$ref" in child or name in ("name", "version", "inputs", "outputs"), at
            walk(child, f"{at}.{name}")

    for name, definition in SCHEMA["$defs"].items():
        walk(definition, name)


def test_a_manifest_is_valid_and_nothing_in_it_is_undescribed(good: Any) -> None:
    jsonschema.Draft202012Validator(strict(SCHEMA)).validate(good)


def test_a_manifest_has_sorted_keys_and_one_line(dist: Path, good: Any) -> None:
    data = (dist / "model-manifest.json").read_bytes()
    assert data == json.dumps(good, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    assert str(dist.parent).encode() not in data


def test_a_manifest_survives_the_round_trip(dist: Path) -> None:
    data = (dist / "model-manifest.json").read_bytes()
    for path in (dist, dist / "model-manifest.json"):
        assert read_manifest(str(path)).to_bytes() == data


def test_providers_are_listed_where_a_variant_is_wrong_on_one(good: Any) -> None:
    value = copy.deepcopy(good)
    assert "providers" not in variant(value)
    for named in (["webgpu"], []):
        variant(value)["providers"] = named
        written = json.loads(parse(json.dumps(value).encode(), "x").to_bytes())
        assert variant(written)["providers"] == named
        jsonschema.Draft202012Validator(strict(SCHEMA)).validate(written)
    variant(value)["providers"] = ["webgpu", "wasm"]
    assert "providers" not in variant(json.loads(parse(json.dumps(value).encode(), "x").to_bytes()))


def test_a_manifest_names_all_assets(dist: Path) -> None:
    manifest = read_manifest(str(dist))
    on_disk = {path.name for path in (dist / "assets").iterdir() if not path.name.startswith("manifest-")}
    assert manifest.files().keys() == on_disk
    assert all((dist / "assets" / name).stat().st_size == ref.nbytes for name, ref in manifest.files().items())


def test_fields_that_are_not_known_are_passed_over(good: Any) -> None:
    more = copy.deepcopy(good)
    more["later"] = more["entries"]["first"]["later"] = {"x": 1}
    assert parse(json.dumps(more).encode(), "").to_bytes() == parse(json.dumps(good).encode(), "").to_bytes()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "MB420"),
        (b"{", "MB420"),
        (b"\xff\xfe{}", "MB420"),
        (b"[" * 200_000, "MB420"),
        (b"[]", "MB420"),
        (b"{}", "MB420"),
        (b'{"version":true}', "MB420"),
        (b'{"version":"1"}', "MB420"),
        (b"<!doctype html>", "MB420"),
        (b" " * (SIZE_LIMIT + 1), "MB420"),
        (b'{"version":2}', "MB421"),
        (b'{"version":0}', "MB421"),
        (b'{"version":1}', "MB422"),
        (b'{"version":1,"version":1}', "MB422"),
        (b'{"version":NaN}', "MB422"),
    ],
)
def test_what_is_no_manifest_of_ours(data: bytes, code: str) -> None:
    assert problem_of(data)[0] == code


def variant(value: Any) -> Any:
    return value["entries"]["first"]["variants"][0]


def data_file(value: Any) -> Any:
    return variant(value)["data"][0]


def first_chunk(value: Any) -> Any:
    return data_file(value)["chunks"][0]


BAD_NAMES = [
    "../x",
    "/etc/passwd",
    "a/b",
    "..",
    ".hidden",
    "",
    "A.bin",
    "x" * 129,
    "a\\b",
    "a\n",
    "https:x",
    None,
    3,
    "é",
]
BAD_NUMBERS = [-1, 2**53, 1.5, "1", None, True, [], float("1e300")]

HOSTILE: dict[str, tuple[Callable[[Any], None], str]] = {
    "entries a list": (lambda m: m.update(entries=[]), "manifest.entries must be an object"),
    "no variant": (lambda m: m["entries"]["first"].update(variants=[]), "at least one"),
    "load": (lambda m: m["entries"]["first"].update(load="now"), "one of lazy, idle, eager"),
    "control character": (lambda m: m["entries"].update({"a\x1b[31m": m["entries"]["tiny0"]}), "text like"),
    "no graph": (lambda m: variant(m).pop("graph"), "graph must be there"),
    "sha256": (lambda m: variant(m)["graph"].update(sha256="0" * 63), "graph.sha256"),
    "sha256 upper": (lambda m: variant(m)["graph"].update(sha256="A" * 64), "graph.sha256"),
    "equal variants": (lambda m: m["entries"]["first"]["variants"].append(variant(m)), "free of equal names"),
    "equal paths": (lambda m: variant(m)["data"].append(data_file(m)), "free of equal names"),
    "equal inputs": (lambda m: variant(m)["inputs"].append(variant(m)["inputs"][0]), "free of equal names"),
    "gap": (lambda m: first_chunk(m).update(offset=64), "without gap or overlap"),
    "empty chunk": (lambda m: first_chunk(m).update(bytes=0), "at least 1"),
    "wrong sum": (lambda m: data_file(m).update(bytes=1), "bytes of its chunks"),
    "half a pair": (lambda m: data_file(m)["tensors"].pop(), "pairs"),
    "tensor past the end": (lambda m: data_file(m)["tensors"].extend([2**40, 1]), "inside the file"),
    "tensors overlap": (lambda m: data_file(m)["tensors"].__setitem__(2, 1), "without overlap"),
    "one name, two files": (
        lambda m: variant(m)["graph"].update(file=first_chunk(m)["file"]),
        "the same file everywhere",
    ),
    "path": (lambda m: data_file(m).update(path="../weights"), "path must be text like"),
    "dimension": (lambda m: variant(m)["inputs"][0].update(shape=[-1]), "shape[0]"),
    "f16": (lambda m: variant(m)["requires"].update(shaderF16=1), "one of True, False"),
    "a provider that is none": (lambda m: variant(m).update(providers=["cpu"]), "one of wasm, webgpu"),
    "a provider twice": (lambda m: variant(m).update(providers=["wasm", "wasm"]), "free of equal names"),
    "infinite": (lambda m: variant(m)["measured"].update(maxError=10**400), "a finite number"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_manifest_that_lies_is_refused(good: Any, name: str) -> None:
    value = copy.deepcopy(good)
    edit, wanted = HOSTILE[name]
    edit(value)
    code, what = problem_of(value)
    assert code == "MB422"
    assert wanted in what
    assert what.isprintable()


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_names_of_files_cannot_leave_the_folder(good: Any, name: Any) -> None:
    for place in (lambda m: variant(m)["graph"], first_chunk, lambda m: m["entries"]["first"]["assets"][0]):
        value = copy.deepcopy(good)
        place(value)["file"] = name
        assert problem_of(value)[0] == "MB422"


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=repr)
def test_numbers_are_natural(good: Any, number: Any) -> None:
    for place in (lambda m: variant(m)["graph"], first_chunk, data_file):
        value = copy.deepcopy(good)
        place(value)["bytes"] = number
        assert problem_of(value)[0] == "MB422"


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, child in items for path in paths(child, (*at, key)))] if at else [
        path for key, child in items for path in paths(child, (key,))
    ]  # fmt: skip


@settings(max_examples=300)
@given(st.data())
def test_whatever_is_put_in_the_reader_agrees_with_the_schema(good: Any, data: st.DataObject) -> None:
    """What the reader takes the schema takes; neither dies."""
    value = copy.deepcopy(good)
    path = data.draw(st.sampled_from(paths(value)))
    junk = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    new = data.draw(junk | st.lists(junk, max_size=3) | st.dictionaries(st.text(max_size=5), junk, max_size=2))
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = new
    try:
        parsed = parse(json.dumps(value).encode(), "x")
    except InputError:
        return
    assert isinstance(parsed, Manifest)
    jsonschema.Draft202012Validator(SCHEMA).validate(value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"MB420.*No such file"):
        read_manifest(str(tmp_path))


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, bundler.chunks.write, bundler.emit.describe, bundler.emit.manifest_reader;"
        "print(*{'onnx', 'numpy', 'onnxruntime', 'onnx_ir', 'orjson', 'google'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
