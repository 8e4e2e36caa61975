"""The report's page in a real Chromium: looked at, worked with, and attacked by the names in it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from playwright.sync_api import Browser, Page

from fixtures import models

from ..cli import ROOT, configure, environment
from .payloads import PAYLOADS

pytestmark = pytest.mark.browser
AXE = ROOT / "node_modules/axe-core/axe.min.js"
ENTRIES = """
    "first": Entry(source="a.onnx", use=[simplify()], variants={"q8": [quantize_dynamic()], "fp32": []},
                   budget=Budget(size="1 MB")),
    "second": Entry(source="a.onnx"),
"""


def mbundle(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "bundler", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built, with a bench and a history beside it."""
    folder = tmp_path_factory.mktemp("report")
    models.save(models.mlp(width=64, layers=6), folder / "a.onnx")
    configure(folder, ENTRIES, 'chunks=Chunks(min_size="4 KiB", max_size="12 KiB")')
    mbundle(folder, "build")
    rows = [
        {"variant": name, "device": device, "figures": {"latencyMs": {"value": ms}, "loadMs": {"value": 300}}}
        for device, more in (("wasm", 5), ("wasm-threads", 0))
        for name, ms in ((None, 9 + more), ("q8", 4 + more), ("fp32", 8 + more))
    ]
    bench = {"version": 1, "benches": [{"entries": {"first": {"rows": rows}}}]}
    (folder / ".mbundle/bench.json").write_text(json.dumps(bench))
    checks = [{"commit": f"{n}abc", "time": "", "entries": {"first": {"q8": {"bytes": 900 - n}}}} for n in range(3)]
    (folder / ".mbundle/history.jsonl").write_text("\n".join(map(json.dumps, checks)))
    mbundle(folder, "report")
    return folder


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that must stay silent and ask nobody for anything; param: (width, colour scheme)."""
    width, scheme = getattr(request, "param", (1440, "light"))
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: (told.append(f"dialog {dialog.message}"), dialog.dismiss())[0])
    page.on("request", lambda one: told.append(one.url) if not one.url.startswith(("file:", "data:")) else None)
    yield page
    assert told == []
    context.close()


def opened(page: Page, path: Path) -> Page:
    page.goto(path.as_uri())
    page.wait_for_selector("footer")
    page.wait_for_selector(".treemap .cell")
    return page


@pytest.mark.parametrize("page", [(1440, "light"), (360, "dark")], indirect=True)
def test_it_can_be_worked_with(page: Page, project: Path) -> None:
    opened(page, project / "mbundle-report.html")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cells = page.locator(".treemap .cell")
    crumbs = page.locator(".crumbs button")
    page.locator("#bytes select").nth(1).select_option("op")
    whole = cells.count()

    cells.first.hover(position={"x": 6, "y": 6})
    tip = page.locator("#tip")
    tip.wait_for(state="visible")
    assert "%" in tip.inner_text()

    cells.first.click(position={"x": 6, "y": 6})
    assert crumbs.count() == 2
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.matches('.cell:nth-child(2)')")
    page.keyboard.press("Escape")
    assert crumbs.count() == 1
    assert cells.count() == whole
    page.keyboard.press("Enter")
    assert crumbs.count() == 2
    crumbs.first.click()
    assert crumbs.count() == 1

    page.get_by_label("Search").fill("w3")
    assert page.locator(".found").inner_text().startswith("3 tensors, 4.1")  # values, scale, zero point
    assert page.locator(".cell.miss").count() > 0
    assert "computes in float32" in page.locator("#steps").inner_text()
    page.get_by_label("Search").fill("")

    page.locator("#bytes select").first.select_option("first/fp32")
    assert crumbs.first.inner_text() == "first/fp32"
    page.get_by_label("Turn").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".space svg").count() == 1
    assert page.locator("#tradeoff figure").count() == 4
    dots = page.locator("#tradeoff [role=img]")
    dots.first.focus()
    assert "accuracy" in str(dots.first.get_attribute("aria-label"))
    assert page.locator("#waterfall [role=img]").count() > 0

    inference = page.locator("#measured tr", has_text="inference")
    assert "".join(inference.inner_text().split()) == "inference9ms4ms0.44×8ms0.89×"
    page.locator("#measured select").select_option("WebAssembly, 1 thread")
    assert "".join(inference.inner_text().split()).startswith("inference14ms9ms")
    page.get_by_label("Times on").select_option("WebAssembly, 1 thread")
    assert "9 ms" in str(dots.first.get_attribute("aria-label"))
    assert page.locator("#history [role=img]").count() > 0


@pytest.mark.parametrize("page", [(1440, "light"), (1440, "dark"), (360, "light")], indirect=True)
def test_axe_finds_nothing_serious(page: Page, project: Path) -> None:
    opened(page, project / "mbundle-report.html")
    page.evaluate(AXE.read_text())  # through the debugger, which the page's policy does not bind
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    bad = [
        (rule["id"], [node["failureSummary"][-300:] + node["html"][:200] for node in rule["nodes"]][:3])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert bad == []


def test_names_are_text_wherever_they_stand(page: Page, tmp_path: Path, project: Path) -> None:
    folder = hostile(tmp_path, project)
    mbundle(folder, "report", "dist")
    html = (folder / "mbundle-report.html").read_text()
    assert html.count("<script") == 3
    opened(page, folder / "mbundle-report.html")
    variants = page.locator("#bytes select").first
    keys: list[str] = variants.locator("option").evaluate_all("all => all.map((one) => one.value)")
    assert len(keys) == len(PAYLOADS)
    for key in keys:
        variants.select_option(key)
        page.locator(".treemap .cell").first.hover(position={"x": 4, "y": 4})
        page.locator(".treemap .cell").first.click(position={"x": 4, "y": 4})
        for section in ("steps", "waterfall"):
            page.locator(f"#{section} select").first.select_option(key)
        entry = key[: len(key) // 2]  # "<payload>/<payload>"
        for section in ("tradeoff", "history", "measured"):
            page.locator(f"#{section} select").first.select_option(entry)
    text = page.locator("main").evaluate("(main) => main.textContent")
    for payload in PAYLOADS:
        assert payload in text
    checks = page.locator("#checks tbody tr").all_inner_texts()
    assert len(checks) == len(PAYLOADS)
    assert "x 0.5" in checks[0]
    assert page.evaluate("window.ran") is None
    assert page.locator("main :is(script, iframe, img, object, embed, a[href^=javascript], base, form)").count() == 0
    handlers = "all => all.flatMap((one) => [...one.attributes]).filter(({ name }) => name.startsWith('on')).length"
    assert page.locator("main *").evaluate_all(handlers) == 0


def hostile(folder: Path, project: Path) -> Path:
    """An output folder whose every name is a payload: 25 entries, each with its payload in all places."""
    source: dict[str, Any] = json.loads((project / "dist/model-manifest.json").read_bytes())
    plain = source["entries"]["first"]["variants"][0]
    (folder / "dist/assets").mkdir(parents=True)
    (folder / ".mbundle").mkdir()
    entries, stats, rows, history, golden = {}, [], {}, {}, {}
    for payload in PAYLOADS:
        data = graph(payload)
        sha = hashlib.sha256(data).hexdigest()
        (folder / f"dist/assets/{sha}.onnx").write_bytes(data)
        ref = {"file": f"{sha}.onnx", "bytes": len(data), "sha256": sha}
        port = {"name": payload, "dtype": "float32", "shape": [payload]}
        variant = plain | {"name": payload, "graph": ref, "data": [], "inputs": [port], "outputs": [port]}
        entries[payload] = {"load": "lazy", "assets": [], "variants": [variant | {"measured": {"bytes": len(data)}}]}
        step = {"step": payload, "status": payload, "note": payload, "bytesBefore": 5, "bytesAfter": 4, "cosine": 0.9}
        step |= {"ops": {payload: 1}, "weights": {payload: 3}, "seconds": 1, "nodesBefore": 1, "nodesAfter": 1}
        built = {"name": payload, "steps": [step]}
        stats.append({"name": payload, "source": payload, "bytes": 5, "variants": [built]})
        span = {"name": payload, "kind": payload, "start": 0, "end": 5}
        row = {"variant": payload, "device": payload, "figures": {"latencyMs": 3}, "waterfall": [span]}
        rows[payload] = {"rows": [row | {"error": payload}]}
        history[payload] = {payload: {"bytes": 3, "scores": {payload: 1}}}
        place = {"status": payload, "note": payload, "value": 0.5, "cosine": 0.5, "metrics": {payload: 0.5, "x": 0.5}}
        checked = {"identity": identity_of(ref), "providers": {payload: place}}
        golden[payload] = {"metric": "x", "variants": {payload: checked}}
    manifest = source | {"entries": entries, "generator": PAYLOADS[0], "encodings": {}}
    (folder / "dist/model-manifest.json").write_text(json.dumps(manifest))
    warnings = [dict.fromkeys(("code", "what", "fix", "entry", "step"), payload) for payload in PAYLOADS]
    bench = {"machine": {"processor": PAYLOADS[2]}, "browser": PAYLOADS[3], "key": {"network": PAYLOADS[6]}}
    work = {
        "stats.json": {"outDir": "dist", "mode": PAYLOADS[1], "entries": stats, "warnings": warnings},
        "bench.json": {"version": 1, "benches": [bench | {"entries": rows}]},
        "golden.json": {"version": 1, "entries": golden},
    }
    for name, value in work.items():
        (folder / ".mbundle" / name).write_text(json.dumps(value))
    lines = [json.dumps({"commit": PAYLOADS[4], "time": PAYLOADS[5], "entries": history})] * 2
    (folder / ".mbundle/history.jsonl").write_text("\n".join(lines))
    return folder


def identity_of(ref: dict[str, Any]) -> str:
    """`emit.verdicts.identity` of a variant that is a graph file alone."""
    return hashlib.sha256(json.dumps([ref["sha256"], []]).encode()).hexdigest()


def graph(name: str) -> bytes:
    """A model that is called `name` in every place where ONNX has one."""
    weight = helper.make_tensor(name, TensorProto.FLOAT, [300], [0.5] * 300)
    node = helper.make_node(name, [name], [f"{name}2"], name=name, domain=name, doc_string=name)
    port = helper.make_tensor_value_info(f"{name}2", TensorProto.FLOAT, [name])
    model = helper.make_model(helper.make_graph([node], name, [], [port], [weight], doc_string=name))
    model.producer_name = model.doc_string = name
    onnx.helper.set_model_props(model, {name: name})
    return model.SerializeToString()
