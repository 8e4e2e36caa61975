"""What an app sees while it loads: progress, the store, aborts, sharing, refusals. On one real model, in Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.real_models import path

from . import dist, real
from .conftest import outcome, until, value
from .server import Site

pytestmark = [pytest.mark.browser, pytest.mark.models]

SUM = """
const total = (out) => Object.values(out).flatMap(({ data }) => Array.from(data, Number)).reduce((a, b) => a + b, 0);
"""


@pytest.fixture
def manifest(tmp_path: Path) -> dict[str, Any]:
    return dist.build(tmp_path / "dist", {"magika": {"fp32": path("magika")}}, max_size=256 << 10)


def files(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    variant = manifest["entries"]["magika"]["variants"][0]
    return [variant["graph"], *(chunk for data in variant["data"] for chunk in data["chunks"])]


def test_progress_is_true_to_the_byte_and_never_goes_back(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    site.rate = 4 << 20
    told = value(visit(), "const told = []; await m.load('magika', { onProgress: (p) => told.push(p) }); return told;")
    total = sum(file["bytes"] for file in files(manifest))
    assert {step["total"] for step in told} == {total}
    assert [step["loaded"] for step in told] == sorted(step["loaded"] for step in told)
    assert [step["phase"] for step in told][-2:] == ["session", "ready"]
    assert len(told) > 5
    assert told[-1] == {"phase": "ready", "loaded": total, "total": total, "fromCache": 0, "entry": "magika"}


def test_second_visit_asks_the_network_for_no_model_file(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    page = visit()
    value(page, "await m.load('magika')")
    settle(page, len(files(manifest)) + 1)
    page.close()
    before = len(site.asked("/assets/"))
    info = value(visit(), "return (await m.load('magika')).info")
    assert len(site.asked("/assets/")) == before
    assert info["downloaded"] == 0
    assert info["fromCache"] == sum(file["bytes"] for file in files(manifest))


def settle(page: Any, count: int) -> None:
    """Waits until `count` files are in the store; storing runs behind the session."""
    kept = "(await (await caches.open('mbundle-1')).keys()).filter(({ url }) => /[0-9a-f]{64}$/.test(url))"
    until(page, f"async (count) => {kept}.length >= count", count)


def test_damage_in_the_store_is_found_and_mended(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    page = visit()
    value(page, "await m.load('magika')")
    settle(page, len(files(manifest)) + 1)
    victim = files(manifest)[2]
    page.evaluate(
        """async ([sha256, bytes]) => {
          const cache = await caches.open("mbundle-1");
          const key = (await cache.keys()).find(({ url }) => url.endsWith(sha256));
          await cache.put(key, new Response(new Uint8Array(bytes), { headers: { "content-length": bytes } }));
        }""",
        [victim["sha256"], victim["bytes"]],
    )
    page.close()
    before = len(site.requests)
    info = value(visit(), "return (await m.load('magika')).info")
    assert info["downloaded"] == victim["bytes"]
    fetched = [request.path for request in site.requests[before:] if "/assets/" in request.path]
    assert fetched in ([], [f"/dist/assets/{victim['file']}"])  # the HTTP cache may still have it


def test_concurrent_loads_share_one_download(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    site.rate = 4 << 20
    feeds = real.as_json(real.native("magika")[0])
    script = SUM + "const all = await Promise.all([1, 2, 3].map(() => m.load('magika'))); const sums = []; "
    script += "for (const each of all) sums.push(total(await each.run(arg))); return sums;"
    sums = value(visit(), script, feeds)
    assert len(set(sums)) == 1
    for file in files(manifest):
        assert len(site.asked(file["file"])) == 1


def test_two_tabs_at_once_download_once(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    site.rate = 1 << 20
    first, second = visit(), visit()
    start = "window.done = import('/dist/models.js').then((m) => m.load('magika')).then(({ info }) => info)"
    for page in (first, second):
        page.evaluate(start + "; 0")
    infos = [page.evaluate("window.done") for page in (first, second)]
    total = sum(file["bytes"] for file in files(manifest))
    assert sum(info["downloaded"] for info in infos) == total
    for file in files(manifest):
        assert len(site.asked(file["file"])) == 1


def test_preload_stores_and_opens_nothing(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    page = visit()
    value(page, "await m.preload('magika')")
    settle(page, len(files(manifest)) + 1)
    assert not site.asked("/ort/")
    assert value(page, "return (await m.load('magika')).info")["downloaded"] == 0


@pytest.mark.parametrize("after", [0, 5, 50, 150, 400])
def test_abort_leaves_nothing_and_keeps_what_is_verified(
    after: int, manifest: dict[str, Any], visit: Any, site: Site
) -> None:
    site.rate = 1 << 20
    page = visit()
    script = """
      const controller = new AbortController();
      setTimeout(() => controller.abort(), arg);
      const started = performance.now();
      try { await m.load("magika", { signal: controller.signal }); }
      catch (error) { if (error.name !== "AbortError") throw error; }
      return performance.now() - started;
    """
    value(page, script, after)
    site.rate = None
    assert value(page, "return (await m.load('magika')).info")["entry"] == "magika"
    assert sum(request.sent for request in site.asked(r"\.bin")) < 2.2 * sum(file["bytes"] for file in files(manifest))


def test_a_signal_aborted_before_is_told_at_once(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    got = outcome(visit(), "await m.load('magika', { signal: AbortSignal.abort() })")
    assert got["error"]["name"] == "AbortError"
    assert not site.asked(r"\.bin")


def test_an_unknown_entry_is_named_with_those_there_are(manifest: dict[str, Any], visit: Any) -> None:
    for name in ("magica", "__proto__", "constructor", "toString"):
        error = outcome(visit(), "await m.load(arg)", name)["error"]
        assert error["code"] == "unknown-entry"
        assert "magika" in error["message"]


def test_a_disposed_model_refuses_to_run(manifest: dict[str, Any], visit: Any) -> None:
    script = "const it = await m.load('magika'); await it.dispose(); await it.dispose(); await it.run({});"
    assert outcome(visit(), script)["error"]["code"] == "disposed"


def test_without_onnxruntime_the_error_says_how_to_get_it(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    site.pages["/bare.html"] = "<!doctype html>"
    error = outcome(visit("/bare.html"), "await m.load('magika')")["error"]
    assert error["code"] == "ort"
    assert "onnxruntime-web" in error["fix"]


def test_the_app_may_bring_its_own_onnxruntime(manifest: dict[str, Any], visit: Any, site: Site) -> None:
    site.pages["/bare.html"] = "<!doctype html>"
    script = "return (await m.load('magika', { ort: () => import('/ort/ort.wasm.bundle.min.mjs') })).info.variant"
    assert value(visit("/bare.html"), script) == "fp32"


def test_setbase_moves_the_files(manifest: dict[str, Any], visit: Any, site: Site, tmp_path: Path) -> None:
    site.mounts["/elsewhere/"] = tmp_path / "dist"
    value(visit(), "m.setBase('/elsewhere'); await m.load('magika')")
    assert site.asked("^/elsewhere/assets/")
    assert not site.asked("^/dist/assets/")


def test_weights_are_read_through_the_lazy_view(manifest: dict[str, Any], visit: Any) -> None:
    """Holds for the onnxruntime-web that package.json pins; if not, loads fall back to whole buffers."""
    script = """
      let lazy = [];
      const ort = await import("/ort/ort.wasm.bundle.min.mjs");
      const create = ort.InferenceSession.create;
      const spy = { ...ort, InferenceSession: { create: (graph, options) => {
        for (const { data } of options.externalData ?? []) lazy.push(data);
        return create.call(ort.InferenceSession, graph, options);
      } } };
      await m.load("magika", { ort: spy });
      return lazy.map((data) => [data.byteLength, data.buffer.byteLength, data.lost]);
    """
    size = manifest["entries"]["magika"]["variants"][0]["data"][0]["bytes"]
    assert value(visit(), script) == [[size, 0, False]]
