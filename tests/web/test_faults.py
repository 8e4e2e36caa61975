"""Each fault between server and page is survived, or named with what to do; a retry recovers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from fixtures.real_models import path

from . import dist, faults
from .conftest import outcome, until, value
from .server import Fault, Site

pytestmark = [pytest.mark.browser, pytest.mark.models]

NAMED: dict[str, tuple[Fault, str]] = {
    "404": (faults.status(404), "http"),
    "403": (faults.status(403), "http"),
    "204": (faults.status(204), "http"),
    "html": (faults.html, "html"),
    "html served as bytes": (faults.html_as_bytes, "html"),
    "corrupt": (faults.corrupt, "integrity"),
    "short": (faults.short, "size"),
    "longer": (faults.longer, "size"),
    "gzip without label": (faults.zipped_unlabelled, "size"),
    "206 unasked": (faults.part_unasked, "http"),
}
SURVIVED: dict[str, tuple[Fault, int]] = {
    "503 twice": (faults.status(503), 2),
    "429 with retry-after": (faults.status(429, {"Retry-After": "0"}), 1),
    "html once": (faults.html, 1),
    "corrupt once": (faults.corrupt, 1),
    "short once": (faults.short, 1),
    "cut once": (faults.cut, 1),
    "cut, resumable": (faults.cut_resumable, 9),
    "reset twice": (faults.reset, 2),
    "gzip": (faults.zipped, 9),
    "gzip label only, once": (faults.zip_label_only, 1),
}


COUNT_READ = """() => {
  const { read } = ReadableStreamBYOBReader.prototype;
  window.readBytes = 0;
  ReadableStreamBYOBReader.prototype.read = async function (...views) {
    const result = await read.apply(this, views);
    window.readBytes += result.value?.length ?? 0;
    return result;
  };
}"""


@pytest.fixture
def chunk(tmp_path: Path) -> str:
    """Name of the second chunk of a model of several."""
    manifest = dist.build(tmp_path / "dist", {"it": {"fp32": path("magika")}})
    return str(manifest["entries"]["it"]["variants"][0]["data"][0]["chunks"][1]["file"])


@pytest.mark.parametrize("name", NAMED)
def test_a_lasting_fault_is_named(name: str, chunk: str, visit: Any, site: Site) -> None:
    fault, code = NAMED[name]
    site.fail(chunk, fault)
    page = visit()
    error = outcome(page, "await m.load('it')")["error"]
    assert (error["name"], error["code"], error["entry"], error["file"]) == ("MbundleError", code, "it", chunk)
    assert error["fix"]
    site.faults.clear()
    assert value(page, "return (await m.load('it')).info.variant") == "fp32"


@pytest.mark.parametrize("name", SURVIVED)
def test_a_passing_fault_is_survived(name: str, chunk: str, visit: Any, site: Site) -> None:
    fault, times = SURVIVED[name]
    site.fail(chunk, fault, times)
    assert value(visit(), "return (await m.load('it')).info.variant") == "fp32"


def test_a_body_that_breaks_off_is_resumed_where_it_stopped(chunk: str, visit: Any, site: Site) -> None:
    read = threading.Event()
    site.fail(chunk, faults.cut_when(read), 1)
    page = visit()
    page.evaluate(COUNT_READ)
    value(page, "void (window.loading = m.load('it', { onProgress: ({ total }) => { window.total = total; } }))")
    half = len(site.content(f"/dist/assets/{chunk}") or b"") // 2
    until(page, "(half) => window.readBytes >= window.total - half", half)
    read.set()
    value(page, "await window.loading")
    first, second = sorted(request.range or "" for request in site.asked(chunk))
    assert first == ""
    assert int(second.removeprefix("bytes=").removesuffix("-")) > 0


@pytest.mark.parametrize("pattern", [r"manifest-.*\.json", r"\.onnx"])
@pytest.mark.parametrize(
    ("fault", "code"), [(faults.corrupt, "integrity"), (faults.html, "html"), (faults.status(404), "http")]
)
def test_manifest_and_graph_are_no_exception(
    pattern: str, fault: Fault, code: str, chunk: str, visit: Any, site: Site
) -> None:
    site.fail(pattern, fault)
    assert outcome(visit(), "await m.load('it')")["error"]["code"] == code


@pytest.mark.parametrize("fault", [faults.stall_before_head, faults.stall_in_body])
def test_silence_times_out_and_is_tried_again(fault: Fault, chunk: str, visit: Any, site: Site) -> None:
    site.fail(chunk, fault, 1)
    page = visit()
    page.clock.install()
    page.evaluate("window.done = import('/dist/models.js').then((m) => m.load('it')).then((it) => it.info.variant); 0")
    for _ in range(100):
        page.wait_for_timeout(20)
        page.clock.fast_forward(1000)
        if page.evaluate("Promise.race([window.done, new Promise((r) => requestAnimationFrame(() => r(0)))])"):
            break
    assert page.evaluate("window.done") == "fp32"


def test_offline_is_named_and_stored_models_still_load(chunk: str, visit: Any, context: Any) -> None:
    page = visit()
    value(page, "await m.preload('it')")
    value(page, "await import('/ort/ort.wasm.bundle.min.mjs').then((ort) => { window.ort = ort; })")
    value(page, "await (await m.load('it')).dispose()")
    context.set_offline(True)
    assert value(page, "return (await m.load('it')).info.downloaded") == 0
    page.evaluate("caches.delete('mbundle-1')")
