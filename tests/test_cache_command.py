"""`mbundle cache` as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundler.cache.explain import History
from bundler.cache.keys import step_key
from bundler.cache.memo import Memo
from bundler.cache.steps import Steps
from bundler.cache.store import Store
from tests.cache_models import files_of, model_at, sha256

ROOT = Path(__file__).resolve().parent.parent


def run(folder: Path, *arguments: str, status: int = 0, **environ: str) -> tuple[str, str]:
    """stdout and stderr of `mbundle cache ...` run in `folder`."""
    done = subprocess.run(
        [sys.executable, "-m", "bundler", "cache", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | environ,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def fill(tmp_path: Path, folder: Path, version: str = "1") -> Store:
    """One step of one entry, as a build leaves it two hours ago."""
    store = Store(str(folder))
    key = step_key(model=sha256(b""), loader="simplify", version=version, options={"fold": True}.items())
    Steps(store, Memo(store)).save(key, model_at(tmp_path / "m", [b"w" * 3000]), {}, model_at(tmp_path / "s", []))
    history = History(store)
    history.note("icons", "q8", 0, "simplify", key, hit=False)
    history.save()
    store.close()
    for path in files_of(store, "steps") + files_of(store, "blobs"):
        os.utime(path, (time.time() - 7200,) * 2)
    return store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return fill(tmp_path, tmp_path / ".mbundle" / "cache")


def test_ls(tmp_path: Path, store: Store) -> None:
    out, err = run(tmp_path, "ls")
    row, total = out.splitlines()
    assert row.split()[1] == "simplify"
    assert row.endswith("used 2 hours ago")
    assert max(map(len, [row])) <= 80
    assert total.startswith("1 step, ")
    assert err == ""


def test_ls_json(tmp_path: Path, store: Store) -> None:
    value = json.loads(run(tmp_path, "ls", "--json")[0])
    assert value["folder"] == store.folder
    assert [step["loader"] for step in value["steps"]] == ["simplify"]
    assert value["bytes"] >= value["steps"][0]["bytes"] > 3000


def test_gc(tmp_path: Path, store: Store) -> None:
    assert run(tmp_path, "gc")[0].startswith("Removed 0 steps")
    assert run(tmp_path, "gc", "--max-size", "0")[0].startswith("Removed 1 step, ")
    assert files_of(store, "blobs") == []


def test_gc_json(tmp_path: Path, store: Store) -> None:
    value = json.loads(run(tmp_path, "gc", "--max-age", "0", "--json")[0])
    assert (value["steps"], value["blobs"], value["left"]) == (1, 2, 0)
    assert value["freed"] > 3000


def test_clear(tmp_path: Path, store: Store) -> None:
    assert run(tmp_path, "clear")[1] == ""
    assert not Path(store.folder).exists()


def test_clear_tells_of_a_running_build(tmp_path: Path, store: Store) -> None:
    with store:
        store.put_bytes(b"new")
        out, err = run(tmp_path, "clear")
    assert out.startswith("Removed 1 step")
    assert err.startswith("warning[MB454]")


def test_why(tmp_path: Path, store: Store) -> None:
    fill(tmp_path, tmp_path / ".mbundle" / "cache", version="2")
    out, _ = run(tmp_path, "why", "icons/q8")
    assert out.splitlines() == ["icons/q8  1. simplify: ran", "    loader version 1 -> 2"]
    value = json.loads(run(tmp_path, "why", "icons", "--json")[0])
    assert value["entry"] == "icons"
    assert value["steps"] == [
        {"variant": "q8", "index": 0, "loader": "simplify", "cached": False, "reasons": ["loader version 1 -> 2"]}
    ]


@pytest.mark.parametrize("name", ["unknown", "icons/unknown", "\x1b[31mred"])
def test_why_of_something_unknown(tmp_path: Path, store: Store, name: str) -> None:
    out, err = run(tmp_path, "why", name, status=2)
    assert out == ""
    assert err.startswith("error[MB453]")
    assert "fix: Known entries: icons." in err
    assert "\x1b" not in err


def test_the_folder_can_be_chosen(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    fill(tmp_path, elsewhere)
    assert run(tmp_path, "ls")[0].startswith("0 steps")
    assert "simplify" in run(tmp_path, "--cache-dir", "elsewhere", "ls")[0]
    assert "simplify" in run(tmp_path, "ls", MBUNDLE_CACHE_DIR=str(elsewhere))[0]
    other = tmp_path / "other"
    other.mkdir()
    assert "simplify" in run(other, "--config", "../model.config.py", "ls", MBUNDLE_CACHE_DIR="elsewhere")[0]


def test_a_damaged_history_is_told(tmp_path: Path, store: Store) -> None:
    Path(store.folder, "history.json").write_bytes(b"junk")
    _, err = run(tmp_path, "why", "icons", status=2)
    assert "warning[MB452]" in err
    assert "error[MB453]" in err
