"""Keys: everything that matters is in them, nothing else is, and no two different recipes share one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.cache import tools
from bundler.cache.keys import Key, digest_parts, graph_digest, step_key
from tests.cache_models import sha256

ROOT = Path(__file__).resolve().parent.parent
BASE: dict[str, Any] = {
    "model": sha256(b"model"),
    "loader": "quantize_dynamic",
    "version": "1",
    "options": (("per_channel", False), ("type", "uint8")),
    "code": "",
    "tools": {"onnxruntime": "1.31.0"},
    "files": {"calibration.npz": sha256(b"data")},
    "context": {"mode": "production", "opset": 22},
}
CHANGES: dict[str, Any] = {
    "model": sha256(b"other"),
    "loader": "simplify",
    "version": "2",
    "options": (("per_channel", True), ("type", "uint8")),
    "code": sha256(b"source"),
    "tools": {"onnxruntime": "1.32.0"},
    "files": {"calibration.npz": sha256(b"other data")},
    "context": {"mode": "development", "opset": 22},
}


def key(**changes: Any) -> Key:
    return step_key(**(BASE | changes))


@pytest.mark.parametrize("part", CHANGES)
def test_each_part_is_in_the_key(part: str) -> None:
    assert key(**{part: CHANGES[part]}).hex != key().hex


@pytest.mark.parametrize("part", ["options", "tools", "files", "context"])
def test_a_part_that_is_left_out_is_another_key(part: str) -> None:
    assert key(**{part: {} if part != "options" else ()}).hex != key().hex


def test_values_that_compare_equal_in_python_are_told_apart() -> None:
    values: list[Any] = [1, 1.0, True, "1", "true", None, "null", [1], "[1]", {"a": 1}]
    assert len({key(options=[("o", value)]).hex for value in values}) == len(values)


def test_the_order_of_options_and_dicts_does_not_matter() -> None:
    assert key(options=BASE["options"][::-1]).hex == key().hex
    assert key(options=[("o", {"a": 1, "b": 2})]).hex == key(options=[("o", {"b": 2, "a": 1})]).hex


def test_parts_are_readable() -> None:
    assert key().parts == {
        "model": BASE["model"],
        "loader": "quantize_dynamic",
        "loader version": "1",
        "option per_channel": "false",
        "option type": '"uint8"',
        "tool onnxruntime": "1.31.0",
        "file calibration.npz": BASE["files"]["calibration.npz"],
        "context mode": '"production"',
        "context opset": "22",
    }


def test_the_key_is_the_same_in_another_process_with_another_hash_seed() -> None:
    code = "from tests.test_cache_keys import key; print(key().hex)"
    environ = os.environ | {"PYTHONHASHSEED": "77", "TZ": "Asia/Kolkata", "LANG": "C"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environ)
    assert done.stdout.strip() == key().hex


texts = st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=4)


@given(texts, texts)
def test_two_recipes_share_a_key_only_when_they_are_equal(one: dict[str, str], other: dict[str, str]) -> None:
    assert (digest_parts(one) == digest_parts(other)) == (one == other)


tensors = st.lists(st.binary(max_size=2).map(sha256), max_size=4)


@given(st.binary(max_size=8), tensors, st.binary(max_size=8), tensors)
def test_two_models_share_a_digest_only_when_they_are_equal(
    skeleton: bytes, weights: list[str], other: bytes, others: list[str]
) -> None:
    same = (skeleton, weights) == (other, others)
    assert (graph_digest(skeleton, weights) == graph_digest(other, others)) == same


def test_the_order_of_weights_is_in_the_digest() -> None:
    weights = [sha256(b"a"), sha256(b"b")]
    assert graph_digest(b"", weights) != graph_digest(b"", weights[::-1])


def test_versions_are_those_of_importlib_metadata() -> None:
    from importlib import metadata

    found = tools.versions([*tools.BUILD_TOOLS, "click", "no-such-distribution"])
    assert found.pop("no-such-distribution") == "absent"
    assert found == {name: metadata.version(name) for name in found}


def test_names_of_distributions_are_normalised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ML_dtypes-9.9.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert tools.versions(["ml-dtypes"]) == {"ml-dtypes": "9.9"}
