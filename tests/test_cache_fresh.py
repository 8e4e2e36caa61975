"""The no-change check: never fresh when something changed, and fresh when nothing did."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bundler.cache import fingerprint, fresh, pieces, tools
from bundler.cache.fingerprint import Fingerprint
from bundler.cache.fresh import Watched
from bundler.cache.memo import Memo
from bundler.cache.store import Store
from bundler.config.schema import BuildConfig, ChunkSpec, EntrySpec, OutputSpec, VariantSpec
from bundler.graph.model import Region
from tests.cache_models import sha256

ROOT = Path(__file__).resolve().parent.parent
TABLE = {"entries": [{"name": "icons", "bytes": 5}], "ünï": None}


@dataclass
class Project:
    """A folder with a config, a model and what a build of it emitted."""

    root: Path

    def __post_init__(self) -> None:
        self.config_file.write_text("config = ...")
        self.model.write_bytes(b"model" * 100)
        self.chunk.parent.mkdir(parents=True)
        self.emit()

    @property
    def config_file(self) -> Path:
        return self.root / "model.config.py"

    @property
    def model(self) -> Path:
        return self.root / "a.onnx"

    @property
    def chunk(self) -> Path:
        return self.root / "dist" / "assets" / "c.bin"

    @property
    def manifest(self) -> Path:
        return self.root / "dist" / "model-manifest.json"

    def emit(self) -> None:
        self.chunk.write_bytes(b"chunk" * 100)
        self.manifest.write_text("{}")

    def config(self, **changes: Any) -> BuildConfig:
        entry = EntrySpec("icons", "a.onnx", str(self.model), (VariantSpec("q8", ()),))
        base = BuildConfig(
            root=str(self.root),
            config_file=str(self.config_file),
            mode="production",
            entries=(entry,),
            output=OutputSpec(str(self.root / "dist")),
            chunks=ChunkSpec(),
            config_inputs=(str(self.config_file),),
        )
        return replace(base, **changes)

    def watched(self) -> Watched:
        return Watched([str(self.model), str(self.config_file)])

    def record(self, watched: Watched | None = None, memo: Memo | None = None, **changes: Any) -> bool:
        outputs = {str(path): sha256(path.read_bytes()) for path in (self.chunk, self.manifest)}
        inputs = [str(self.model)]
        watched = watched or self.watched()
        config = self.config(**changes)
        return fresh.record(config, watched, inputs=inputs, outputs=outputs, table=TABLE, memo=memo)

    def check(self, **changes: Any) -> fresh.Verdict:
        return fresh.check(self.config(**changes))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "app"
    root.mkdir()
    return Project(root)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything happens 10 s after the files were written: ctime cannot be set, so the clock is what moves."""
    monkeypatch.setattr(fingerprint, "now", lambda: time.time_ns() + 10_000_000_000)


def test_without_a_build_nothing_is_fresh(project: Project) -> None:
    assert project.check() == fresh.Verdict(False, "first build")


@pytest.mark.parametrize("young", [True, False])
def test_nothing_changed(project: Project, young: bool, request: pytest.FixtureRequest) -> None:
    if not young:
        request.getfixturevalue("later")
    assert project.record()
    for _ in range(3):
        assert project.check() == fresh.Verdict(True, "", TABLE)


def edit(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def edit_and_restore_times(path: Path) -> None:
    status = path.stat()
    edit(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap_in_a_copy(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(path.read_bytes()[::-1])
    os.replace(new, path)


def turn_into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


EDITS: dict[str, Callable[[Path], object]] = {
    "same size": edit,
    "same size and mtime": edit_and_restore_times,
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"!"),
    "empty": lambda path: path.write_bytes(b""),
    "deleted": Path.unlink,
    "replaced": swap_in_a_copy,
    "a folder": turn_into_a_folder,
}
FILES = ["config_file", "model", "chunk", "manifest"]


@pytest.mark.parametrize("young", [True, False], ids=["young", "old"])
@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("name", FILES)
def test_every_changed_file_is_seen(
    project: Project, name: str, change: Callable[[Path], object], young: bool, request: pytest.FixtureRequest
) -> None:
    if not young:
        request.getfixturevalue("later")
    project.record()
    assert project.check().fresh
    path: Path = getattr(project, name)
    change(path)
    verdict = project.check()
    assert not verdict.fresh
    assert str(path.relative_to(project.root)) in verdict.reason


@pytest.mark.parametrize("name", FILES)
def test_same_size_edits_within_one_second_are_all_seen(project: Project, name: str) -> None:
    path: Path = getattr(project, name)
    for _ in range(25):
        project.record()
        edit(path)
        assert not project.check().fresh
        project.record()
        assert project.check().fresh


def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filesystem whose clock ticks every 2 s, as FAT's does: most edits leave no trace in the fingerprint."""
    exact = fingerprint.of

    def coarse(path: str, *, follow: bool = True) -> Fingerprint | None:
        found = exact(path, follow=follow)
        tick = fingerprint.RACY_NS
        return found and Fingerprint(found.size, found.mtime // tick * tick, found.ctime // tick * tick, 1)

    monkeypatch.setattr(fingerprint, "of", coarse)


@pytest.mark.parametrize("name", FILES)
def test_same_size_edits_that_leave_no_trace_are_all_seen(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_clock(monkeypatch)
    path: Path = getattr(project, name)
    untraced = 0
    for _ in range(25):
        project.record()
        before = fingerprint.of(str(path))
        edit(path)
        untraced += fingerprint.of(str(path)) == before
        assert not project.check().fresh
    assert untraced, "the test must meet what it is about"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("later")
def test_a_touched_file_is_judged_by_its_content_and_only_once(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.record()
    assert project.check().fresh
    path: Path = getattr(project, name)
    os.utime(path)
    shutil.copy2(path, path.with_suffix(".copy"))
    os.replace(path.with_suffix(".copy"), path)
    assert project.check() == fresh.Verdict(True, "", TABLE)
    monkeypatch.setattr(pieces, "same", lambda *_: pytest.fail("compared again"))
    monkeypatch.setattr(fresh, "same", lambda *_: pytest.fail("compared again"))
    assert project.check().fresh


def test_an_output_that_became_a_link_is_no_output(project: Project, tmp_path: Path) -> None:
    project.record()
    project.chunk.rename(tmp_path / "elsewhere")
    project.chunk.symlink_to(tmp_path / "elsewhere")
    assert not project.check().fresh


def test_a_source_behind_a_link_is_followed(project: Project, tmp_path: Path) -> None:
    real = tmp_path / "blob"
    project.model.rename(real)
    project.model.symlink_to(real)
    project.record()
    assert project.check().fresh
    edit(real)
    assert not project.check().fresh


CONFIGS: dict[str, dict[str, Any]] = {
    "mode": {"mode": "development"},
    "chunks": {"chunks": ChunkSpec(max_size=1 << 20)},
    "entries": {"entries": ()},
}


@pytest.mark.parametrize("change", CONFIGS.values(), ids=CONFIGS)
def test_another_config_is_not_fresh(project: Project, change: dict[str, Any]) -> None:
    project.record()
    assert project.check(**change).reason == "config changed"


def test_another_output_folder_has_a_record_of_its_own(project: Project) -> None:
    project.record()
    assert project.check(output=OutputSpec(str(project.root / "other"))).reason == "first build"


def test_other_options_are_not_fresh(project: Project) -> None:
    project.record()
    assert fresh.check(project.config(), options="--no-minify").reason == "options changed"


@pytest.mark.parametrize("tool", ["onnx", "onnxruntime", "onnxsim"])
def test_another_tool_version_is_not_fresh(project: Project, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record()
    found = tools.versions(tools.BUILD_TOOLS)
    monkeypatch.setattr(tools, "versions", lambda _: found | {tool: "99"})
    assert project.check().reason == f"{tool} {found[tool]} -> 99"


def test_another_mbundle_is_not_fresh(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record()
    monkeypatch.setattr(fresh, "__version__", "99")
    assert project.check().reason.endswith("-> 99")


def test_an_edit_of_mbundle_itself_is_not_fresh(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.record()
    monkeypatch.setattr(fresh, "own_stamp", lambda: "other")
    assert project.check().reason == "installation changed"


def test_an_input_that_changes_while_the_build_runs_is_not_recorded(project: Project) -> None:
    watched = project.watched()
    edit(project.model)
    assert not project.record(watched)
    assert not project.check().fresh


@pytest.mark.usefixtures("later")
def test_an_old_input_that_changes_while_the_build_runs_is_not_recorded(project: Project) -> None:
    watched = project.watched()
    edit(project.model)
    assert not project.record(watched)


def test_a_failed_record_forgets_the_build_before(project: Project) -> None:
    project.record()
    watched = project.watched()
    edit(project.model)
    project.record(watched)
    edit(project.model)
    assert project.check().reason == "first build"


def test_an_output_altered_before_the_record_was_written_is_seen(project: Project) -> None:
    watched = project.watched()
    outputs = {str(path): sha256(path.read_bytes()) for path in (project.chunk, project.manifest)}
    edit(project.chunk)
    assert fresh.record(project.config(), watched, inputs=[str(project.model)], outputs=outputs, table=TABLE)
    assert "c.bin" in project.check().reason


def test_external_data_found_during_the_build_counts(project: Project, later: None) -> None:
    data = project.root / "weights.bin"
    data.write_bytes(b"weights")
    outputs = {str(project.chunk): sha256(project.chunk.read_bytes())}
    inputs = [str(project.model), str(data)]
    assert fresh.record(project.config(), project.watched(), inputs=inputs, outputs=outputs, table=TABLE)
    assert project.check().fresh
    edit(data)
    assert "weights.bin" in project.check().reason


def test_young_external_data_is_not_believed(project: Project) -> None:
    data = project.root / "weights.bin"
    data.write_bytes(b"weights")
    inputs = [str(project.model), str(data)]
    assert not fresh.record(project.config(), project.watched(), inputs=inputs, outputs={}, table=TABLE)


def test_the_work_folder_is_kept_out_of_git_unless_the_user_says_otherwise(project: Project) -> None:
    project.record()
    ignore = project.root / ".mbundle" / ".gitignore"
    assert ignore.read_text() == "*\n"
    ignore.write_text("cache\n")
    project.record()
    assert ignore.read_text() == "cache\n"


def test_forget(project: Project) -> None:
    project.record()
    fresh.forget(project.config())
    fresh.forget(project.config())
    assert project.check().reason == "first build"


@pytest.mark.parametrize("data", [b"", b"{}", b"mbundle build 1 0\n{}", b"\xff" * 40])
def test_a_damaged_record_is_not_fresh(project: Project, data: bytes) -> None:
    project.record()
    Path(fresh.record_path(project.config())).write_bytes(data)
    assert project.check() == fresh.Verdict(False, "the record of the last build is damaged")


def test_a_state_folder_that_cannot_be_is_no_error(project: Project) -> None:
    (project.root / ".mbundle").write_text("")
    assert not project.record()
    assert not project.check().fresh


@pytest.mark.usefixtures("later")
def test_a_long_source_is_known_by_the_digests_of_its_weights(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "AFFORDABLE", 64)
    project.model.write_bytes(b"head" + b"w" * 500 + b"tail")
    memo = Memo(Store(str(tmp_path / "cache")))
    memo.sha256(Region(str(project.model), 4, 500))
    project.record(memo=memo)
    os.utime(project.model)
    assert project.check().fresh
    edit(project.model)
    assert not project.check().fresh


@pytest.mark.usefixtures("later")
def test_a_long_source_of_unknown_content_is_stale_when_touched(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "AFFORDABLE", 64)
    project.record()
    assert project.check().fresh
    os.utime(project.model)
    assert not project.check().fresh


def test_tiles_cover_the_file_once() -> None:
    spans = {(10, 5): "a", (12, 5): "overlaps", (15, 5): "b", (90, 20): "past the end", (50, 0): "empty"}
    assert pieces.tile(100, spans) == [(0, 10, ""), (10, 5, "a"), (15, 5, "b"), (20, 80, "")]
    assert pieces.tile(0, {}) == [(0, 0, "")]
    assert pieces.tile(5, {(0, 5): "a"}) == [(0, 5, "a")]


def test_the_check_imports_nothing_heavy_and_scans_no_metadata() -> None:
    heavy = {"numpy", "onnx", "onnxruntime", "importlib.metadata", "concurrent.futures", "email", "tempfile"}
    code = (
        "import sys; from bundler.cache import fresh, tools; tools.versions(tools.BUILD_TOOLS); fresh.own_stamp()\n"
        f"print(*sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
