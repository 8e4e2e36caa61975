"""Files that come with a model: read in a page, verified, kept, and typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures import models

from ..cli import configure, run
from .conftest import outcome, until, value
from .server import Site

pytestmark = pytest.mark.browser

WORDS = '{"words": ["čaj", "mléko"]}'
KEPT = "async (sha) => (await (await caches.open('mbundle-1')).keys()).some(({ url }) => url.endsWith(sha))"


@pytest.fixture
def built(tmp_path: Path) -> dict[str, Any]:
    models.save(models.mlp(width=64, layers=2), tmp_path / "a.onnx")
    (tmp_path / "words.json").write_text(WORDS)
    (tmp_path / "empty.txt").write_text("")
    configure(tmp_path, '"a": Entry(source="a.onnx", assets=["words.json", "empty.txt"])')
    run(tmp_path, "build").ok()
    from ..dist import check

    found: dict[str, Any] = check(tmp_path / "dist")["entries"]["a"]
    return {asset["name"]: asset for asset in found["assets"]}


def test_a_page_reads_them_and_later_needs_no_network(built: dict[str, Any], visit: Any, site: Site) -> None:
    page = visit()
    script = """const found = await m.assets("a");
      return [Object.keys(found), await found["words.json"].json(), await found["empty.txt"].text(),
        (await found["words.json"].arrayBuffer()).byteLength, found["words.json"].url];"""
    names, words, empty, length, url = value(page, script)
    assert names == ["words.json", "empty.txt"]
    assert words == {"words": ["čaj", "mléko"]}
    assert (empty, length) == ("", len(WORDS.encode()))
    assert url.endswith(f"/dist/assets/{built['words.json']['file']}")
    until(page, KEPT, built["words.json"]["sha256"], 60)
    page.close()
    before = len(site.asked("/assets/words"))
    assert before == 1
    assert value(visit(), "return (await m.assets('a'))['words.json'].text()") == WORDS
    assert len(site.asked("/assets/words")) == before


def test_preload_brings_them(built: dict[str, Any], visit: Any, site: Site) -> None:
    value(visit(), "await m.preload('a')")
    assert len(site.asked("/assets/words")) == 1


def test_a_changed_one_is_refused(built: dict[str, Any], visit: Any, tmp_path: Path) -> None:
    file = tmp_path / "dist/assets" / built["words.json"]["file"]
    file.write_text(WORDS.replace("čaj", "čej"))
    found = outcome(visit(), "return (await m.assets('a'))['words.json'].text()")
    assert found["error"]["code"] == "integrity"


def test_the_types_name_them(built: dict[str, Any], tmp_path: Path) -> None:
    assert '"words.json"' in (tmp_path / "dist/models.d.ts").read_text()
    assert "words-" in (tmp_path / "dist/entries/a.js").read_text()
