"""The flagship, examples/icon-search, as a visitor meets it: its production build in Chromium."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from fixtures import minilm

from . import icons, plugins
from .server import ISOLATED, Handler, Site, serving
from .test_report import AXE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.models]

OVERLAP = 0.93
"""Of the ten nearest icons: 8-bit weights, and vectors of 8 bits."""
TOLD = """window.told = [];
const find = (what) => document.querySelector(what);
const tell = () => told.push([find("#bytes")?.textContent ?? "", find("#progress")?.value ?? 0]);
new MutationObserver(tell).observe(document, { subtree: true, childList: true, characterData: true });"""
HARD = ("", "  two\twords\n", "naïve CAFÉ Ünïcödé e\u0301", "日本語 テスト 한국어", "C++ $5.00 a@b.co", "party 🎉 😀")
HARDER = ("don't", "ﬁ ß İ", "\u200bzero\u00adwidth", "[CLS] [MASK]", "a" * 300, "much too long " * 60, "a\x00b")


def run(folder: Path, command: list[str], status: int = 0) -> str:
    done = subprocess.run(command, cwd=folder, env=plugins.environment(), capture_output=True, text=True, timeout=900)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_the_page_reads_texts_as_the_model_was_trained_on() -> None:
    queries, names = minilm.texts()
    lines = [*queries, *names, *map(icons.read_as, sorted(minilm.tags())), *HARD, *HARDER]
    script = plugins.ROOT / "tests/web/apps/icon-search/tokens.mjs"
    command = ["node", str(script), str(minilm.tokenizer_file())]
    done = subprocess.run(command, input=json.dumps(lines), capture_output=True, text=True, check=True, timeout=300)
    wanted = [one.ids for one in minilm.tokenizer().encode_batch(lines)]
    found = json.loads(done.stdout)
    assert [line for line, a, b in zip(lines, found, wanted, strict=True) if a != b] == []


def test_the_app_as_it_is_deployed(tmp_path: Path, chromium: Browser) -> None:
    """One test, since workers of a parallel run would each build it."""
    folder = icons.make(tmp_path / "app")
    run(folder, [".venv/bin/mbundle", "init", "--template", "vite"])
    run(folder, ["npx", "vite", "build"])
    from_the_first_visit_to_one_without_a_network(folder / "dist", chromium)
    a_model_that_does_not_come_is_told_and_plain_words_work(folder / "dist", chromium)


def from_the_first_visit_to_one_without_a_network(dist: Path, chromium: Browser) -> None:
    with ExitStack() as online:
        site = online.enter_context(serving(site_of(dist)))
        context = chromium.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        loose: list[str] = []
        page.on("pageerror", lambda error: loose.append(str(error)))
        page.add_init_script(TOLD)
        page.goto(f"{site.origin}/index.html")
        assert "downloaded" in ready(page)
        progress_was_shown(page)
        weighs_what_the_budget_says(site, dist)

        finds_what_the_full_model_finds(page)
        never_waits(chromium, page)
        page.emulate_media(reduced_motion="reduce")  # no colour on its way to another
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            nothing_serious(page)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        kept(page)

        site.requests.clear()
        page.reload()
        assert "MB from this device" in ready(page)
        assert "downloaded" not in ready(page)
        assert {request.path for request in site.requests} <= {"/index.html", "/sw.js"}
    page.goto(f"{site.origin}/index.html?q=money")  # nobody listens there any more
    assert "from this device" in ready(page)
    assert "wallet" in answer(page, "money")[:3]
    assert loose == []
    context.close()


def a_model_that_does_not_come_is_told_and_plain_words_work(dist: Path, chromium: Browser) -> None:
    with serving(site_of(dist)) as site:
        site.fail(r"/models/assets/.*\.bin$", lambda handler, _: Handler.answer(handler, 404, b"gone"))
        page = chromium.new_page()
        page.goto(f"{site.origin}/index.html?q=wallet")
        page.wait_for_selector("#trouble:not([hidden])", timeout=120_000)
        assert page.inner_text("#trouble-text")
        assert page.is_visible("#retry")
        assert answer(page, "wallet", by="words")[0] == "wallet"
        site.faults.clear()
        page.click("#retry")
        ready(page)
        assert "wallet" in answer(page, "wallet")[:3]
        page.close()


def site_of(dist: Path) -> Site:
    return Site(mounts={"/": dist}, headers=ISOLATED)


def ready(page: Page) -> str:
    page.wait_for_selector("#source[data-ready]", timeout=120_000)
    return page.inner_text("#source")


def answer(page: Page, query: str, by: str = "meaning") -> list[str]:
    """Types what is not there yet, and waits for what is found."""
    if page.input_value("#query") != query:
        page.fill("#query", query)
    page.wait_for_selector(f'#icons[data-query={json.dumps(query)}][data-by="{by}"]', timeout=60_000)
    found: list[str] = page.evaluate("[...document.querySelectorAll('#icons button')].map((one) => one.dataset.name)")
    return found


def progress_was_shown(page: Page) -> None:
    told: list[tuple[str, float]] = page.evaluate("told")
    assert any(" MB of 23." in text for text, _ in told)
    values = [value for _, value in told]
    assert values == sorted(values)
    assert len(set(values)) > 2
    assert page.is_hidden("#loading")


def weighs_what_the_budget_says(site: Site, dist: Path) -> None:
    """What was sent for the entry: the model, what leads to it, and its tokenizer."""
    sent = sum(request.sent for request in site.requests if "/models/" in request.path or "tokenizer" in request.path)
    told = json.loads(run(dist.parent, [".venv/bin/mbundle", "check", "--no-bench", "--format", "json"]))
    verdicts = {row["name"]: row for row in told["verdicts"]}
    assert {name: row["state"] for name, row in verdicts.items()} == {"size": "ok", "first_load": "ok"}
    assert 23e6 < sent < 25e6


def finds_what_the_full_model_finds(page: Page) -> None:
    wanted = icons.nearest(minilm.texts()[0][::20])
    shared = [len({*answer(page, query)[:10]} & {*ten}) / 10 for query, ten in wanted.items()]
    assert sum(shared) / len(shared) >= OVERLAP
    assert "wallet" in answer(page, "money")[:3]


def never_waits(chromium: Browser, page: Page) -> None:
    """No task of the page's main thread works for 50 ms while somebody types. Its own time on the processor is
    counted, which other processes do not lengthen."""
    categories = ["__metadata", "toplevel", "disabled-by-default-devtools.timeline"]
    chromium.start_tracing(page=page, categories=categories)
    page.fill("#query", "")
    page.type("#query", "something went wrong", delay=60)
    answer(page, "something went wrong")
    events: list[dict[str, Any]] = json.loads(chromium.stop_tracing())["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [event["tdur"] / 1000 for event in events if "tdur" in event and (event["pid"], event["tid"]) in main]
    assert len(tasks) > 50
    assert max(tasks) < 50


def nothing_serious(page: Page) -> None:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")] == []


def kept(page: Page) -> None:
    """The service worker has all that a visit without a network needs."""
    names = "caches.open('icon-search').then((cache) => cache.keys()).then((all) => all.map(({ url }) => url))"
    for _ in range(600):
        urls = page.evaluate(names)
        if len(urls) > 20 and any(url.endswith(".wasm") for url in urls):
            return
        page.wait_for_timeout(100)
    raise AssertionError(urls)
