"""The store over time: a new build of an app, pages of the old one, other apps of the same origin."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from . import dist, faults
from .conftest import outcome, until, value
from .server import Site
from .test_choice import ONE, scale

pytestmark = pytest.mark.browser

KEPT = """async () => (await (await caches.open("mbundle-1")).keys()).map(({ url }) => url.split("/").pop())
  .filter((name) => /^[0-9a-f]{64}$/.test(name)).sort()"""


def named(manifest: dict[str, Any], out: Path) -> list[str]:
    """sha256 of all files of a build that a load stores."""
    shas = set()
    for entry in manifest["entries"].values():
        for variant in entry["variants"]:
            shas |= {variant["graph"]["sha256"]}
            shas |= {chunk["sha256"] for data in variant["data"] for chunk in data["chunks"]}
    return sorted(shas | {manifest_sha(out)})


def manifest_sha(out: Path) -> str:
    import hashlib

    return hashlib.sha256((out / "model-manifest.json").read_bytes()).hexdigest()


def settled(page: Any, wanted: list[str]) -> None:
    until(page, f"async (wanted) => JSON.stringify(await ({KEPT})()) === JSON.stringify(wanted)", wanted)


def test_chunks_that_no_build_names_are_removed_after_the_next_load(visit: Any, tmp_path: Path, site: Site) -> None:
    other = dist.build(tmp_path / "other", {"it": {"fp32": scale(7)}})
    site.mounts["/other/"] = tmp_path / "other"
    first = dist.build(tmp_path / "dist", {"it": {"fp32": scale(3)}})
    page = visit()
    value(page, ONE)
    page.evaluate("import('/other/models.js').then((m) => m.load('it')).then(() => 0)")
    both = sorted({*named(first, tmp_path / "dist"), *named(other, tmp_path / "other")})
    settled(page, both)
    page.close()
    second = dist.build(tmp_path / "dist", {"it": {"fp32": scale(4)}})
    page = visit()
    assert value(page, ONE)["y"] == 8
    settled(page, sorted({*named(second, tmp_path / "dist"), *named(other, tmp_path / "other")}))


def test_what_is_stored_can_be_told_and_cleared(visit: Any, tmp_path: Path) -> None:
    built = dist.build(tmp_path / "dist", {"it": {"fp32": scale(3)}})
    page = visit()
    value(page, ONE)
    settled(page, named(built, tmp_path / "dist"))
    info = value(page, "return m.cacheInfo()")
    assert (info["kind"], info["files"]) == ("cache", 3)
    assert info["bytes"] > 4096
    assert info["quota"] > 0
    assert value(page, "return m.persist()") in (True, False)
    value(page, "await m.clearCache()")
    assert page.evaluate("async () => (await (await caches.open('mbundle-1')).keys()).length") == 0
    assert value(page, ONE)["y"] == 6


def test_a_page_of_an_older_build_is_told_to_reload(visit: Any, tmp_path: Path, site: Site) -> None:
    dist.build(tmp_path / "dist", {"it": {"fp32": scale(3)}})
    page = visit()
    value(page, "await import('/dist/entries/it.js')")
    shutil.rmtree(tmp_path / "dist" / "assets")
    dist.build(tmp_path / "dist", {"it": {"fp32": scale(4)}})
    error = outcome(page, ONE)["error"]
    assert (error["code"], error["entry"]) == ("stale-build", "it")
    assert "Reload" in error["fix"]
    page.close()
    assert value(visit(), ONE)["y"] == 8


def test_a_build_with_a_file_missing_is_no_stale_page(visit: Any, tmp_path: Path, site: Site) -> None:
    dist.build(tmp_path / "dist", {"it": {"fp32": scale(3)}})
    site.fail(r"\.bin", faults.status(404))
    assert outcome(visit(), ONE)["error"]["code"] == "http"


def test_the_former_build_in_the_folder_keeps_old_pages_alive(visit: Any, tmp_path: Path) -> None:
    dist.build(tmp_path / "dist", {"it": {"fp32": scale(3)}})
    page = visit()
    value(page, "await import('/dist/entries/it.js')")
    dist.build(tmp_path / "dist", {"it": {"fp32": scale(4)}})
    assert value(page, ONE)["y"] == 6


def test_without_room_models_load_and_one_warning_says_so(visit: Any, tmp_path: Path, context: Any, site: Site) -> None:
    dist.build(tmp_path / "dist", {"it": {"fp32": scale(3)}, "too": {"fp32": scale(4)}})
    page = visit()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type == "warning" else None)
    context.new_cdp_session(page).send("Storage.overrideQuotaForOrigin", {"origin": site.origin, "quotaSize": 1000})
    assert value(page, ONE)["y"] == 6
    assert value(page, ONE.replace("'it'", "'too'"))["y"] == 8
    page.wait_for_timeout(300)
    assert len([text for text in told if "not kept" in text]) == 1


def test_an_insecure_origin_degrades_and_still_verifies(tmp_path: Path, visit: Any, site: Site) -> None:
    """Plain http on a network: no subtle crypto, no Cache API, no locks."""
    built = dist.build(tmp_path / "dist", {"it": {"fp32": scale(3)}})
    site.headers = {"Cache-Control": "no-store"}
    port = site.origin.rsplit(":", 1)[1]
    page = visit()
    page.goto(f"http://insecure.test:{port}/")
    if page.evaluate("isSecureContext"):
        pytest.skip("this browser takes the origin as secure")
    assert value(page, ONE)["y"] == 6
    site.fail(built["entries"]["it"]["variants"][0]["data"][0]["chunks"][0]["file"], faults.corrupt)
    page.reload()
    assert outcome(page, "await m.load('it')")["error"]["code"] == "integrity"
