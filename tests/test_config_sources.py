"""What an entry's source resolves to; the refusals are in test_config_bad.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bundler.config.findings import Bad
from bundler.config.packages import add_command
from bundler.config.sources import resolve


def touch(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


def refused(source: str, root: Path) -> Bad:
    with pytest.raises(Bad) as caught:
        resolve(source, str(root))
    return caught.value


def test_files_and_folders(tmp_path: Path) -> None:
    model = touch(tmp_path / "models/m.onnx")
    touch(tmp_path / "models/.hidden.onnx")
    touch(tmp_path / "models/m.onnx.data")
    (tmp_path / "models/folder.onnx").mkdir()
    for source in ("models/m.onnx", "models", "models/", "./models/../models", model, str(tmp_path / "models")):
        assert resolve(source, str(tmp_path)) == model


def test_upper_case_extension_and_odd_names(tmp_path: Path) -> None:
    for name in ("M.ONNX", "modèle 1.onnx", "a[1].onnx"):
        path = touch(tmp_path / name)
        assert resolve(name, str(tmp_path)) == path


def test_links_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "blobs/abc")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot/model.onnx").symlink_to("../blobs/abc")
    assert resolve("snapshot", str(tmp_path)) == str(tmp_path / "snapshot/model.onnx")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    info = folder / "Acme_Models-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: Acme.Models\nVersion: 1.0\n")
    (info / "RECORD").write_text('acme/data/m.onnx,sha256=x,3\n"acme/odd, name.onnx",,\nacme/only/one.onnx,,\n')
    for name in ("data/m.onnx", "data/stranger.onnx", "odd, name.onnx", "only/one.onnx"):
        touch(folder / "acme" / name)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder


@pytest.mark.parametrize("name", ["acme-models", "Acme.Models", "acme_models"])
def test_a_file_of_an_installed_distribution(site: Path, name: str) -> None:
    assert resolve(f"package:{name}/acme/data/m.onnx", "/") == str(site / "acme/data/m.onnx")
    assert resolve(f"package:{name}/acme/odd, name.onnx", "/") == str(site / "acme/odd, name.onnx")
    assert resolve(f"package:{name}/acme/only", "/") == str(site / "acme/only/one.onnx")


def test_a_file_that_another_distribution_brought(site: Path) -> None:
    assert refused("package:acme-models/acme/data/stranger.onnx", site).code == "MB145"


def test_a_misspelt_file_of_a_distribution(site: Path) -> None:
    found = refused("package:acme-models/acme/dta/m.onnx", site.parent)
    assert found.code == "MB140"
    assert found.fix == 'Did you mean "package:acme-models/acme/data/m.onnx"?'


def test_npm_packages_are_found_upwards_and_through_links(tmp_path: Path) -> None:
    store = touch(tmp_path / "store/acme/m.onnx")
    (tmp_path / "node_modules/@acme").mkdir(parents=True)
    (tmp_path / "node_modules/@acme/models").symlink_to(Path(store).parent)
    root = tmp_path / "apps/web"
    root.mkdir(parents=True)
    expected = str(tmp_path / "node_modules/@acme/models/m.onnx")
    assert resolve("npm:@acme/models/m.onnx", str(root)) == expected
    near = touch(root / "node_modules/@acme/models/m.onnx")
    assert resolve("npm:@acme/models/m.onnx", str(root)) == near


@pytest.mark.parametrize(
    ("lock", "command"),
    [("yarn.lock", "yarn add"), ("pnpm-lock.yaml", "pnpm add"), ("bun.lock", "bun add"), ("none", "npm install")],
)
def test_the_command_for_a_missing_npm_package_fits_the_project(tmp_path: Path, lock: str, command: str) -> None:
    touch(tmp_path / lock)
    (tmp_path / "web").mkdir()
    assert add_command(str(tmp_path / "web")) == command
    assert command in (refused("npm:acme/m.onnx", tmp_path / "web").fix or "")


@pytest.mark.parametrize("source", ["npm:../x/m.onnx", "npm:@a/../m.onnx", "package:../x/m.onnx", "npm:A B/m.onnx"])
def test_package_names_cannot_lead_elsewhere(tmp_path: Path, source: str) -> None:
    assert refused(source, tmp_path).code in ("MB145", "MB146")
