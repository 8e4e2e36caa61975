"""From a checkpoint of an encoder-decoder to a page that writes what torch does; the encoder runs once for a text."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from bundler.emit.manifest import read_manifest
from bundler.measure.assemble import assemble

from .. import dist
from ..cli import ROOT, run
from .conftest import BLANK, ORT, until, value
from .server import Handler, Site, serving
from .test_export_torch import PYTHON, checkpoints

pytestmark = [
    pytest.mark.slow,
    pytest.mark.torch,
    pytest.mark.browser,
    pytest.mark.skipif(not PYTHON.exists(), reason="scripts/test makes .venv-export"),
]
CONFIG = f"""from bundler import Entry, define_config
from bundler.loaders import fuse, kv_cache, quantize_weights, simplify

config = define_config(export_python={str(PYTHON)!r}, entries={{
    "translate": Entry(source="translator", variants={{
        "fp32": [],
        "small": [simplify(), quantize_weights(bits=8), kv_cache("int8")],
        "fused": [fuse()],
    }}),
    "summarise": Entry(source="summariser"),
}})
"""
TEXTS = [[25, 31, 22, 21, 35, 30], [20, 33], [28] * 5]
ENDS = {"translate": 1, "summarise": 2}
COUNT = 24
VARIANTS = ("fp32", "small", "fused")
WRITE = """
const model = await m.load(arg.entry, arg.options);
const told = [];
const texts = [];
for (const options of arg.texts) {
  texts.push(await model.generate({ ...options, onToken: (token) => told.push(token) }));
}
const { generation, info } = model;
await model.dispose();
return { texts, told, generation, info };
"""

TOLD = """
const ort = await import("onnxruntime-web/wasm");
window.did = [];
const create = async (graph, ...given) => {
  const session = await ort.InferenceSession.create(graph, ...given);
  const [open, close] = graph.length > 1000 ? ["open", "close"] : ["try", "try"];
  window.did.push(open);
  const run = (feeds) => {
    window.did.push(`run ${Object.keys(feeds).filter((name) => name.endsWith("input_ids")).join()}`);
    return session.run(feeds);
  };
  return { run, release: () => (window.did.push(close), session.release()) };
};
const told = { ...ort, InferenceSession: { create } };
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translator")
    checkpoints(folder, "translator", "summariser")
    (folder / "model.config.py").write_text(CONFIG)
    run(folder, "build", timeout=600).ok()
    return folder


@pytest.fixture
def page(project: Path, chromium: Any) -> Iterator[Page]:
    with serving(Site(mounts={"/dist/": project / "dist", "/ort/": ORT}, pages={"/": BLANK})) as site:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(site.origin + "/")
        yield page
        context.close()


def texts(entry: str, **options: Any) -> list[dict[str, Any]]:
    return [{"input_ids": [*text, ENDS[entry]], "max_new_tokens": COUNT, **options} for text in TEXTS]


def by_torch(project: Path) -> dict[str, list[list[int]]]:
    """By entry."""
    folders = {"translate": str(project / "translator"), "summarise": str(project / "summariser")}
    given = {folder: [text["input_ids"] for text in texts(entry)] for entry, folder in folders.items()}
    command = [PYTHON, "-P", ROOT / "tests/torch_texts.py", str(COUNT), json.dumps(given)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {entry: [until_end(text, ENDS[entry]) for text in found[folder]] for entry, folder in folders.items()}


def until_end(tokens: list[int], end: int) -> list[int]:
    return tokens[: tokens.index(end)] if end in tokens else tokens


def written(page: Page, entry: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = value(page, WRITE, {"entry": entry, "texts": texts(entry), "options": {}, **more})
    return found


def test_greedy_tokens_are_those_of_torch(project: Path, page: Page) -> None:
    """Of a T5, whose tied embedding both stages share, and of a BART, whose files rule what is written."""
    for entry, expected in by_torch(project).items():
        assert len({tuple(text) for text in expected}) == len(TEXTS)
        assert max(len(set(text)) for text in expected) > 2
        found = written(page, entry, options={"variant": "fp32"} if entry == "translate" else {})
        assert [text["tokens"] for text in found["texts"]] == expected, entry
        assert found["told"] == [token for text in expected for token in text]


def test_optimised_variants_write_what_native_onnxruntime_does(project: Path, page: Page, tmp_path: Path) -> None:
    for index, name in enumerate(VARIANTS):
        emitted = read_manifest(str(project / "dist")).entries["translate"].variants[index]
        path = assemble(str(project / "dist"), emitted, str(tmp_path / name))
        expected = [native(path, text["input_ids"]) for text in texts("translate")]
        found = written(page, "translate", options={"variant": name})
        assert [text["tokens"] for text in found["texts"]] == expected, name
        assert found["info"]["variant"] == name


def native(path: str, source: list[int]) -> list[int]:
    """Greedy tokens of the whole graph, encoder and all, at each step."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(int8)": np.int8}
    ports = [port for port in session.get_inputs() if port.name.startswith("past_key_values.")]
    past = {port.name: np.zeros((1, port.shape[1], 0, port.shape[3]), kinds[port.type]) for port in ports}
    feeds = {"input_ids": np.array([source], np.int64), "attention_mask": np.ones((1, len(source)), np.int64)}
    names = [port.name for port in session.get_outputs()]
    tokens = [0]
    while len(tokens) <= COUNT:
        step = {"decoder_input_ids": np.array([tokens[-1:]], np.int64)}
        got = dict(zip(names, session.run(names, {**feeds, **past, **step}), strict=True))
        past = {name: got[name.replace("past_key_values", "present")] for name in past}
        tokens.append(int(got["logits"][0, -1].argmax()))
        if tokens[-1] == ENDS["translate"]:
            return tokens[1:-1]
    return tokens[1:]


def test_the_encoder_runs_once_while_the_decoder_is_still_being_fetched(project: Path, chromium: Any) -> None:
    stages = dist.manifest(project / "dist")["entries"]["translate"]["variants"][0]["stages"]
    gate = threading.Event()

    def late(handler: Handler, content: bytes) -> None:
        gate.wait(120)
        handler.serve(content)

    script = f"""{TOLD}
      const model = await m.load("translate", {{ variant: "fp32", ort: told }});
      window.did.length = 0;
      window.text = model.generate({{ input_ids: arg, max_new_tokens: 24 }});
      window.text.catch(() => {{}});
      return 0;
    """
    with serving(Site(mounts={"/dist/": project / "dist", "/ort/": ORT}, pages={"/": BLANK})) as site:
        site.fail(re.escape(stages[1]["graph"]["file"]), late)
        context = chromium.new_context()
        page = context.new_page()
        page.goto(site.origin + "/")
        try:
            value(page, script, texts("translate")[0]["input_ids"])
            until(page, "() => window.did.length > 0")
            assert page.evaluate("window.did") == ["run input_ids"]
        finally:
            gate.set()
        tokens = value(page, "return (await window.text).tokens")
        did = page.evaluate("window.did")
        context.close()
    assert did == ["run input_ids", "open", *["run decoder_input_ids"] * (len(tokens) + 1)]


def test_a_released_encoder_is_closed_before_the_decoder_opens(page: Page) -> None:
    script = f"""{TOLD}
      const model = await m.load("translate", {{ variant: "fp32", release: true, ort: told }});
      window.did.splice(0, window.did.indexOf("open")); // what tries onnxruntime comes before
      const {{ tokens }} = await model.generate({{ input_ids: arg, max_new_tokens: 24 }});
      return {{ tokens, did: window.did }};
    """
    found = value(page, script, texts("translate")[0]["input_ids"])
    writing = ["run decoder_input_ids"] * (len(found["tokens"]) + 1)
    assert found["did"] == ["open", "run input_ids", "close", "open", *writing, "close"]


@pytest.mark.parametrize("options", [{"worker": True}, {"release": True}])
def test_what_is_asked_for_is_heeded(project: Path, page: Page, options: dict[str, bool]) -> None:
    """In a worker, and with the encoder closed before the decoder is opened: the same texts at once and one by one."""
    text = texts("translate")[0]
    source = text["input_ids"]
    padded = {**text, "input_ids": [*source, 0, 0], "attention_mask": [*[1] * len(source), 0, 0]}
    drawn = {**text, "temperature": 1.5, "eos_token_id": [], "max_new_tokens": 12}
    asked = [text, padded, {**drawn, "seed": 1}, {**drawn, "seed": 1}, {**drawn, "seed": 2}]
    found = written(page, "translate", options={"variant": "fp32", **options}, texts=asked)
    plain, same, one, again, other = (text["tokens"] for text in found["texts"])
    assert (plain, one) == (same, again)
    assert one != other
    assert found["info"]["worker"] == bool(options.get("worker"))
    script = """
      const model = await m.load("translate", { variant: "fp32", ...arg.options });
      const both = await Promise.all([model.generate(arg.text), model.generate(arg.text)]);
      const begun = { ...arg.text, decoder_input_ids: [0, ...both[0].tokens.slice(0, 2)] };
      const rest = (await model.generate(begun)).tokens;
      const controller = new AbortController();
      const endless = { ...arg.text, max_new_tokens: 1e6, eos_token_id: [] };
      const aborted = await model.generate({ ...endless, signal: controller.signal,
        onToken: (token, index) => { if (index === 3) controller.abort("enough"); } }).catch((e) => e);
      const after = (await model.generate(arg.text)).tokens;
      const wrong = [];
      for (const odd of [{ input_ids: [] }, { attention_mask: [1] }, { decoder_input_ids: [100] }])
        wrong.push(await model.generate({ ...arg.text, ...odd }).catch((e) => [e.code, e.message.split(":")[0]]));
      await model.dispose();
      const late = await model.generate(arg.text).catch((e) => e.code);
      return { both: both.map(({ tokens }) => tokens), rest, aborted, after, wrong, late };
    """
    more = value(page, script, {"options": options, "text": text})
    assert (more["both"], more["rest"], more["after"]) == ([plain, plain], plain[2:], plain)
    assert (more["aborted"], more["late"]) == ("enough", "disposed")
    assert [code for code, _ in more["wrong"]] == ["feeds"] * 3


def test_the_build_tells_the_parts_and_stores_shared_weights_once(project: Path) -> None:
    manifest = dist.check(project / "dist")
    assert read_manifest(str(project / "dist")).to_bytes() == (project / "dist/model-manifest.json").read_bytes()
    variant = manifest["entries"]["translate"]["variants"][0]
    chunks = {data["path"]: {chunk["file"] for chunk in data["chunks"]} for data in variant["data"]}
    encoder, decoder = ({file for path in stage["data"] for file in chunks[path]} for stage in variant["stages"])
    assert encoder & decoder  # the tied embedding
    assert encoder - decoder
    assert decoder - encoder
    assert {port["name"] for port in variant["stages"][0]["inputs"]} == {"input_ids", "attention_mask"}
    assert (variant["generation"]["start"], variant["generation"]["end"]) == ([0], [1])
    rules = manifest["entries"]["summarise"]["variants"][0]["generation"]
    assert (rules["start"], rules["suppressed"]) == ([2, 7], [49])
    ran = run(project, "build").ok()
    assert re.search(r"2 stages: encoder 0\.\d MB \+ decoder 0\.\d MB", ran.stderr)
    entry = json.loads((project / ".mbundle/stats.json").read_text())["entries"]
    compared = {one["name"]: one["export"]["compared"]["logits"]["cosine"] for one in entry}
    assert compared.keys() == {"translate", "summarise"}
    assert min(compared.values()) > 0.999999
