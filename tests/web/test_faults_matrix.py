"""Every kind of fault, met with an empty store, a full one and a damaged one: the right result to the bit, or an error
that is named; nothing is left behind, and when the fault has gone the next try succeeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from fixtures.models import mlp

from . import dist, faults
from .server import Fault, Site
from .stored import HELPERS

pytestmark = pytest.mark.browser

ALWAYS = 1_000_000
MODES = ("cold", "warm", "damaged")


@dataclass(frozen=True)
class Kind:
    fault: Fault
    code: str | None = None
    """Of the error; None: the load succeeds all the same."""
    times: int = ALWAYS
    target: str = "chunk"


KINDS: dict[str, Kind] = {
    "401": Kind(faults.status(401), "http"),
    "403": Kind(faults.status(403), "http"),
    "404": Kind(faults.status(404), "http"),
    "410": Kind(faults.status(410), "http"),
    "204": Kind(faults.status(204), "http"),
    "500": Kind(faults.status(500), "http"),
    "503 for good": Kind(faults.status(503), "http"),
    "503 twice": Kind(faults.status(503), times=2),
    "429 for good": Kind(faults.status(429, {"Retry-After": "0"}), "http"),
    "429 once": Kind(faults.status(429, {"Retry-After": "0"}), times=1),
    "redirect to itself": Kind(faults.redirect("{path}"), "network"),
    "redirect to another origin": Kind(faults.redirect("http://127.0.0.1:9/x"), "network"),
    "redirect to a page": Kind(faults.redirect("/"), "html"),
    "redirect to the file": Kind(faults.redirect_to_itself_once),
    "html": Kind(faults.html, "html"),
    "html served as bytes": Kind(faults.html_as_bytes, "html"),
    "html once": Kind(faults.html, times=1),
    "json": Kind(faults.JSON_ERROR, "size"),
    "git-lfs pointer": Kind(faults.LFS_POINTER, "size"),
    "one bit": Kind(faults.corrupt, "integrity"),
    "one bit, once": Kind(faults.corrupt, times=1),
    "zeros": Kind(faults.zeros, "integrity"),
    "empty": Kind(faults.empty, "size"),
    "short": Kind(faults.short, "size"),
    "short once": Kind(faults.short, times=1),
    "longer": Kind(faults.longer, "size"),
    "endless": Kind(faults.endless, "size"),
    "gzip": Kind(faults.zipped),
    "gzip without label": Kind(faults.zipped_unlabelled, "size"),
    "gzip twice": Kind(faults.zipped_twice, "size"),
    "gzip label only": Kind(faults.zip_label_only, "network"),
    "gzip label only, once": Kind(faults.zip_label_only, times=1),
    "206 unasked": Kind(faults.part_unasked, "http"),
    "no length": Kind(faults.chunked),
    "no length, cut": Kind(faults.chunked_cut, "network"),
    "ends with the connection": Kind(faults.until_close),
    "slow": Kind(faults.slow),
    "cut for good": Kind(faults.cut, "network"),
    "cut here and there": Kind(faults.cut_anywhere, "network"),
    "cut once": Kind(faults.cut, times=1),
    "cut, resumable": Kind(faults.cut_resumable),
    "cut, then the whole": Kind(faults.cut_then(faults.all_of_it)),
    "cut, then 416": Kind(faults.cut_then(faults.status(416)), times=2),
    "cut, then another range": Kind(faults.cut_then(faults.wrong_rest), times=2),
    "cut, then the rest of another file": Kind(faults.cut_then(faults.rest_of_another_file), times=2),
    "reset for good": Kind(faults.reset, "network"),
    "reset twice": Kind(faults.reset, times=2),
    "not HTTP": Kind(faults.garbage, "network"),
    "stall before the head": Kind(faults.stall_before_head, "timeout"),
    "stall in the body": Kind(faults.stall_in_body, "timeout"),
    "stall, resumable": Kind(faults.stall_once_resumable),
    "graph: one bit": Kind(faults.corrupt, "integrity", target="graph"),
    "graph: html": Kind(faults.html, "html", target="graph"),
    "manifest: 404": Kind(faults.status(404), "http", target="manifest"),
    "manifest: one bit": Kind(faults.corrupt, "integrity", target="manifest"),
    "manifest: html": Kind(faults.html, "html", target="manifest"),
    "manifest: json of another kind": Kind(faults.JSON_ERROR, "size", target="manifest"),
}

RUN = """async (cases) => {
  const ort = await import("onnxruntime-web/wasm");
  const loose = [];
  const hear = (event) => loose.push(String(event.reason));
  addEventListener("unhandledrejection", hear);
  const x = Float32Array.from({ length: 128 }, (_, index) => Math.sin(index));
  const bits = ({ data }) => Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).join();
  let queue = Promise.resolve(); // onnxruntime-web is not re-entrant, and each case brings a runtime of its own
  const alone = (task) => (queue = queue.then(task, task));
  const create = async (...all) => {
    const session = await alone(() => ort.InferenceSession.create(...all));
    return { run: (feeds) => alone(() => session.run(feeds)), release: () => alone(() => session.release()) };
  };
  const shared = { ...ort, InferenceSession: { create } };
  const reference = ({ id }) => alone(async () => {
    const session = await ort.InferenceSession.create(`/${id}.onnx`);
    const out = bits((await session.run({ x: new ort.Tensor("float32", x, [2, 64]) })).y);
    await session.release();
    return out;
  });
  const last = {};
  const began = {};
  const attempt = async (path) => {
    try {
      last[path] = "import";
      const m = await import(path);
      last[path] = "start";
      const onProgress = (progress) => {
        began[path] ??= performance.now(); // all cases are imported side by side: what that takes is no waiting
        last[path] = progress;
      };
      const model = await m.load("it", { ort: shared, onProgress });
      last[path] = "run";
      const got = bits((await model.run({ x: { data: x, dims: [2, 64] } })).y);
      await model.dispose();
      return { bits: got, info: model.info };
    } catch (error) {
      const { name, code, fix, file, message } = error;
      return { error: { name, code, fix, file, message } };
    }
  };
  const within = (promise, path) => {
    const late = new Promise((done) => setTimeout(() => done({ pending: 35, at: last[path] }), 35_000));
    return Promise.race([promise, late]);
  };
  const visit = (id) => within(attempt(`/${id}/test/models.js`), `/${id}/test/models.js`);
  const one = async (it) => {
    if (it.mode !== "cold") {
      await attempt(`/${it.id}/seed/models.js`);
      await within(settled(it.hashes));
      if (it.mode === "damaged") await damage(it.victim.sha256, it.victim.bytes);
    }
    const started = performance.now();
    const first = await visit(it.id);
    const seconds = (performance.now() - (began[`/${it.id}/test/models.js`] ?? started)) / 1000;
    return { first, seconds, reference: await reference(it) };
  };
  const results = await Promise.all(cases.map(one));
  const locks = await navigator.locks.query();
  await fetch("/mend");
  const again = await Promise.all(cases.map(({ id }) => visit(id)));
  await new Promise((done) => setTimeout(done, 50));
  removeEventListener("unhandledrejection", hear);
  return { results, again, loose, locks: [...locks.held, ...locks.pending].map(({ name }) => name) };
}""".replace("const ort =", HELPERS + "const ort =", 1)


class Matrix:
    """All kinds in one page and one mode, side by side: each with a build of its own below a folder of its own."""

    def __init__(self, site: Site, folder: Path, mode: str) -> None:
        self.site, self.mode = site, mode
        self.cases = [self._case(folder / f"c{number}", number, kind) for number, kind in enumerate(KINDS.values())]
        site.pages["/mend"] = ""
        site.fail("^/mend$", self._mend)

    def _case(self, folder: Path, number: int, kind: Kind) -> dict[str, Any]:
        name = folder.name
        model = mlp(seed=1000 * (MODES.index(self.mode) + 1) + 10 * number, layers=4)
        manifest = dist.build(folder, {"it": {"fp32": model}}, max_size=16 << 10)
        (folder / "source.onnx").write_bytes(model.SerializeToString())
        self.site.mounts |= {
            f"/{name}/seed/": folder,
            f"/{name}/test/": folder,
            f"/{name}.onnx": folder / "source.onnx",
        }
        variant = manifest["entries"]["it"]["variants"][0]
        chunks = variant["data"][0]["chunks"]
        (pinned,) = dist.pins(folder)
        victim = {"chunk": chunks[1], "graph": variant["graph"], "manifest": pinned}[kind.target]
        self.site.fail(f"/{name}/test/.*{victim['file']}", kind.fault, kind.times)
        hashes = [each["sha256"] for each in (pinned, variant["graph"], *chunks)]
        return {"id": name, "mode": self.mode, "victim": victim, "hashes": hashes}

    def _mend(self, handler: Any, content: bytes) -> None:
        self.site.faults.clear()
        handler.answer(200, b"")


@pytest.fixture
def open_requests(context: BrowserContext) -> set[Any]:
    """Requests of the context that have not ended."""
    pending: set[Any] = set()
    context.on("request", lambda request: pending.add(request))
    context.on("requestfinished", lambda request: pending.discard(request))
    context.on("requestfailed", lambda request: pending.discard(request))
    return pending


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Page:
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(site.origin)
    return page


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_every_kind(mode: str, tmp_path: Path, site: Site, page: Page, open_requests: set[Any]) -> None:
    matrix = Matrix(site, tmp_path, mode)
    got = page.evaluate(RUN, matrix.cases)
    wrong = {
        name: problem
        for (name, kind), result, again in zip(KINDS.items(), got["results"], got["again"], strict=True)
        if (problem := judge(kind if mode != "warm" else Kind(kind.fault), result, again))
    }
    assert not wrong, "\n".join(f"{name}: {problem}" for name, problem in wrong.items())
    assert got["loose"] == []
    assert got["locks"] == []
    for _ in range(300):  # what is asked for behind a load may be on its way
        if open_requests:
            page.wait_for_timeout(100)
    assert [request.url for request in open_requests] == []


def judge(kind: Kind, result: dict[str, Any], again: dict[str, Any]) -> str:
    first, reference = result["first"], result["reference"]
    if result["seconds"] > 30:
        return f"pending for {result['seconds']:.0f} s"
    if again.get("bits") != reference:
        return f"does not recover: {again}"
    if kind.code is None:
        return "" if first.get("bits") == reference else f"does not survive: {first}"
    error = first.get("error", {})
    known = error.get("name") == "MbundleError" and error["code"] == kind.code and error["fix"] and error["file"]
    return "" if known else f"is not named {kind.code}: {first}"
