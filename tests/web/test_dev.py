"""A page under the dev server: it goes on while its models change, and is told what is wrong with a build."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession
from playwright.sync_api import BrowserContext, Page, Route

from bundler.emit.loader import stem
from bundler.serve.devclient import DevClient
from bundler.serve.found import Text
from bundler.serve.observe import Sent
from bundler.serve.run import serving
from bundler.serve.site import Options, Site
from fixtures.models import mlp

from . import dist
from .conftest import BLANK, ORT, until
from .test_choice import scale
from .test_update import WIDTH, model

pytestmark = pytest.mark.browser

STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"
TYPED = f"{STRICT}; require-trusted-types-for 'script'; trusted-types 'none'"
LOOP = """
import { load } from "/models.js";
const ort = { wasm: "/ort/ort.wasm.bundle.min.mjs" };
const it = await load("it", { ort, worker: location.hash === "#worker" });
const seen = (window.seen = { values: [], updates: [], errors: [], runs: 0, stop: false });
it.onUpdate((info) => seen.updates.push({ downloaded: info.downloaded, fromCache: info.fromCache }));
window.it = it;
const feeds = () => ({ [it.inputs[0].name]: { data: new Float32Array(ROW).fill(1), dims: [1, ROW] } });
const ROW = it.inputs[0].shape.at(-1);
window.mark = "never reloaded";
while (!seen.stop) {
  try {
    const both = await Promise.all([it.run(feeds()), it.run(feeds())]);
    const [value, same] = both.map((out) => Object.values(out)[0].data[0]);
    if (value !== same) throw new Error("two models answered at once");
    if (seen.values.at(-1) !== value) seen.values.push(value);
    seen.runs++;
  } catch (error) { seen.errors.push(String(error)); }
  await new Promise((resolve) => setTimeout(resolve));
}
"""


@dataclass
class Dev:
    """A dev server over an output folder that a test rebuilds; `say` is what a session says."""

    folder: Path
    client: DevClient
    url: str = ""
    sent: list[Sent] = field(default_factory=list)
    builds: int = 0

    def build(self, entries: dict[str, Any], *changed: str, tell: bool = True) -> None:
        dist.build(self.folder, entries, max_size=512 << 10)
        self.builds += 1
        digest = hashlib.sha256((self.folder / "model-manifest.json").read_bytes()).hexdigest()
        if tell:
            manifest = {"file": "model-manifest.json", "sha256": digest}
            update = {"type": "model-update", "build": self.builds, "entries": list(changed), "manifest": manifest}
            self.client.channel.publish(update)

    def fail(self, **problem: Any) -> None:
        self.builds += 1
        full = {"code": "MB101", "what": "It is wrong.", "fix": "Mend it.", "severity": "error", **problem}
        self.client.channel.publish({"type": "error", "build": self.builds, "problems": [full]})


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    client = DevClient()
    dev = Dev(tmp_path / "dist", client)
    strict = {"Content-Security-Policy": STRICT}
    page = '<!doctype html><title>app</title><script type="module" src="/main.js"></script>'
    options = Options(
        mounts={"/ort/": str(ORT)},
        pages={
            "/blank.html": Text(BLANK.encode(), "text/html", "no-store"),
            "/app.html": Text(page.encode(), "text/html", "no-store", strict),
            "/typed.html": Text(page.encode(), "text/html", "no-store", {"Content-Security-Policy": TYPED}),
            "/main.js": Text(LOOP.encode(), "text/javascript", "no-store"),
        },
        reserved=client.handlers,
        rewrite=client.rewrite,
        observe=dev.sent.append,
    )
    dev.folder.mkdir()
    with serving(Site(str(dev.folder), options)) as running:
        dev.url = running.url
        yield dev
        client.channel.close()


def opened(context: BrowserContext, dev: Dev, path: str) -> Page:
    page = context.new_page()
    page.goto(dev.url + path)
    return page


def test_a_page_that_infers_in_a_loop_gets_each_new_model(dev: Dev, context: BrowserContext) -> None:
    dev.build({"it": {"fp32": model(None)}, "other": {"fp32": scale(2)}}, "it", "other")
    old = set((dev.folder / "assets").iterdir())
    page = opened(context, dev, "app.html")
    until(page, "async () => window.seen?.runs > 5")
    page.wait_for_timeout(300)  # also what is stored after the first answer
    before, count = len(dev.sent), page.evaluate("seen.values.length")
    page.evaluate(READS)

    dev.build({"it": {"fp32": model(5)}, "other": {"fp32": scale(2)}}, "it")
    until(page, "async () => seen.updates.length === 1")
    until(page, "async (runs) => seen.runs > runs + 5", page.evaluate("seen.runs"))
    until(page, "async () => seen.values.length === 2")
    assert (page.evaluate("seen.errors"), page.evaluate("mark"), count) == ([], "never reloaded", 1)

    new = {path.name: path.stat().st_size for path in set((dev.folder / "assets").iterdir()) - old}
    fetched = {one.path.rpartition("/")[2]: one.nbytes for one in dev.sent[before:] if "/assets/" in one.path}
    assert fetched == new  # the changed chunk and the manifest, byte for byte
    assert 0 < len(page.evaluate("reads")) <= len(new)  # the others are still in memory
    assert page.evaluate("seen.updates[0].downloaded") == sum(
        size for name, size in new.items() if not name.startswith("manifest-")
    )

    for changed in (2, 7, 9):  # faster than they can be loaded: the last one wins
        dev.build({"it": {"fp32": model(changed)}, "other": {"fp32": scale(2)}}, "it")
    # A model that the page loads now may still be of the build before: what the last one gives is asked elsewhere.
    session = InferenceSession(model(9).SerializeToString())
    (expected,) = session.run(None, {"x": np.ones((1, WIDTH), np.float32)})
    until(page, "async (want) => Math.abs(seen.values.at(-1) - want) < 1e-3", float(expected[0, 0]))
    assert page.evaluate("seen.errors") == []
    page.evaluate("it.dispose()")
    until(page, "async () => seen.errors.length > 0")
    assert all("disposed" in error for error in page.evaluate("seen.errors"))


def test_builds_whose_modules_come_in_another_order_end_at_the_last_one(dev: Dev, context: BrowserContext) -> None:
    """A module that was asked for before and comes late, and a build that is as the one in use was."""
    first = {"it": {"fp32": scale(2)}}
    dev.build(first, "it")
    page = opened(context, dev, "app.html")
    until(page, "async () => window.seen?.runs > 5")
    start = page.evaluate("seen.values[0]")
    held: list[Route] = []
    context.route("**/entries/it.js?build=*", lambda route: held.append(route))

    def asked(count: int) -> None:
        for _ in range(1200):
            if len(held) >= count:
                return
            page.wait_for_timeout(50)
        raise AssertionError(held)

    dev.build({"it": {"fp32": scale(3)}}, "it")
    asked(1)
    late = held[0].fetch()  # what the server had then
    dev.build({"it": {"fp32": scale(5)}}, "it")
    asked(2)
    held[1].continue_()
    until(page, "async (want) => seen.values.at(-1) === want", start / 2 * 5)
    held[0].fulfill(response=late)
    page.wait_for_timeout(500)  # it would be taken now

    dev.build({"it": {"fp32": scale(7)}}, "it")
    asked(3)
    late = held[2].fetch()
    dev.build({"it": {"fp32": scale(5)}}, "it")  # back to what is in use: nothing is to be loaded
    page.wait_for_timeout(500)
    held[2].fulfill(response=late)
    page.wait_for_timeout(500)
    assert page.evaluate("seen.values") == [start, start / 2 * 5]
    assert page.evaluate("seen.errors") == []


READS = """() => {
  const { match } = Cache.prototype;
  const seen = (window.reads = []);
  Cache.prototype.match = function (key) {
    if (/[0-9a-f]{64}$/.test(key)) seen.push(key);
    return match.call(this, key);
  };
}"""


def test_in_a_worker_and_a_page_that_missed_an_update(dev: Dev, context: BrowserContext) -> None:
    dev.build({"it": {"fp32": mlp(seed=1, width=64, layers=2)}}, "it")
    page = opened(context, dev, "app.html#worker")
    until(page, "async () => window.seen?.runs > 2")
    assert page.evaluate("it.info.worker")
    dev.client.channel.close()  # as when the server restarts: the page comes back and learns what it missed
    dev.build({"it": {"fp32": mlp(seed=2, width=64, layers=2)}}, "it")
    until(page, "async () => seen.values.length === 2")
    assert page.evaluate("[seen.errors, seen.updates.length, it.info.worker]") == [[], 1, True]


def test_a_hidden_tab_lets_go_and_learns_what_it_missed(dev: Dev, context: BrowserContext) -> None:
    """Two builds later, one of them a failure that was mended: one swap, and no overlay."""
    dev.build({"it": {"fp32": scale(2)}}, "it")
    page = opened(context, dev, "app.html")
    until(page, "async () => window.seen?.runs > 2")
    page.evaluate(SEEN, True)
    assert _settles(lambda: dev.client.channel.listeners == 0)
    dev.fail(what="It was wrong for a while.")
    dev.build({"it": {"fp32": scale(3)}}, "it")
    dev.build({"it": {"fp32": scale(4)}}, "it")
    assert page.evaluate("seen.updates.length") == 0
    page.evaluate(SEEN, False)
    until(page, "async () => seen.values.length === 2")
    assert page.evaluate("[seen.errors, seen.updates.length]") == [[], 1]
    assert page.locator("mbundle-overlay").count() == 0
    page.close()
    assert _settles(lambda: dev.client.channel.listeners == 0)


SEEN = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def _settles(true: Callable[[], bool]) -> bool:
    for _ in range(2000):
        if true():
            return True
        time.sleep(0.01)
    return False


def test_modules_of_entries_have_the_names_that_the_build_gives_them(dev: Dev, context: BrowserContext) -> None:
    page = opened(context, dev, "blank.html")
    names = ["icons", "a b", "__proto__", "é", "x" * 101, "../x"]
    script = "async (names) => Promise.all(names.map((await import('/__mbundle/dev/stem.js')).stem))"
    assert page.evaluate(script, names) == [stem(name) for name in names]


def test_an_error_is_shown_under_a_strict_policy_and_goes_when_mended(dev: Dev, context: BrowserContext) -> None:
    dev.build({"it": {"fp32": scale(2)}}, "it")
    page = opened(context, dev, "typed.html")
    violations: list[str] = []
    page.on("console", lambda message: violations.append(message.text) if "Policy" in message.text else None)
    until(page, "async () => window.seen?.runs > 0")
    evil = "<img src=x onerror=alert(1)></script>"
    dev.fail(
        what=f"There is no loader {evil}.",
        file="model.config.py",
        line=7,
        frame=f"> 7 | use=[{evil}]\n    |      ^^^^^",
    )
    overlay = page.locator("mbundle-overlay")
    overlay.wait_for(state="attached")
    text = overlay.locator(".panel").inner_text()
    for part in ("MB101", evil, "model.config.py:7", f"> 7 | use=[{evil}]", "Mend it."):
        assert part in text
    assert overlay.locator("img").count() == 0
    assert (
        overlay.locator(".panel").evaluate("(panel) => getComputedStyle(panel).borderTopColor") == "rgb(240, 97, 109)"
    )
    page.keyboard.press("Escape")
    assert overlay.count() == 0
    dev.fail(what="Again.", entry="it", step="quantize_weights")
    overlay.wait_for(state="attached")
    assert "it › quantize_weights" in overlay.locator(".panel").inner_text()
    again = opened(context, dev, "app.html")  # a page that comes later is told, too
    again.locator("mbundle-overlay").wait_for(state="attached")
    dev.client.channel.publish({"type": "build-unchanged", "build": 9})
    for each in (page, again):
        each.locator("mbundle-overlay").wait_for(state="detached")
    assert violations == []
    assert page.evaluate("seen.errors") == []


def test_a_page_that_is_opened_before_the_first_build_waits_for_it(dev: Dev, context: BrowserContext) -> None:
    page = opened(context, dev, "app.html")
    dev.fail(what="Not yet.")
    overlay = page.locator("mbundle-overlay")
    overlay.wait_for(state="attached")
    dev.build({"it": {"fp32": scale(2)}}, "it")
    overlay.wait_for(state="detached")
    until(page, "async () => window.seen?.runs > 2")
    dev.build({"it": {"fp32": scale(3)}}, "it")
    until(page, "async () => seen.values.length === 2")
    assert page.evaluate("seen.errors") == []
    assert context.request.get(dev.url + "entries/other.js").status == 404  # now that there is a build


def test_a_build_that_cannot_be_loaded_leaves_the_old_one_in_use(dev: Dev, context: BrowserContext) -> None:
    from .test_choice import unknown_op

    dev.build({"it": {"fp32": scale(2)}}, "it")
    page = opened(context, dev, "app.html")
    until(page, "async () => window.seen?.runs > 0")
    dev.build({"it": {"fp32": unknown_op()}}, "it")
    overlay = page.locator("mbundle-overlay")
    overlay.wait_for(state="attached")
    assert "NoSuchOperator" in overlay.locator(".panel").inner_text()
    runs = page.evaluate("seen.runs")
    until(page, "async (runs) => seen.runs > runs", runs)
    dev.build({"it": {"fp32": scale(3)}}, "it")
    until(page, "async () => seen.values.length === 2")
    overlay.wait_for(state="detached")
    assert page.evaluate("seen.errors") == []


def test_production_output_has_nothing_of_it(dev: Dev) -> None:
    dev.build({"it": {"fp32": scale(2)}}, "it")
    names = [path.name for path in dev.folder.rglob("*.js")]
    text = "".join(path.read_text() for path in dev.folder.rglob("*.js"))
    assert "index.js" in names
    assert {"hot.js", "connect.js", "sse.js", "overlay.js"}.isdisjoint(names)
    for word in ("__mbundle", "EventSource", "overlay", "hot("):
        assert word not in text
    assert "onUpdate" in text
