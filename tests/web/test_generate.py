"""Decoders in the page: tokens as native onnxruntime writes them, by chance where that is asked for, no memory kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright

from bundler.emit.manifest import read_manifest
from bundler.measure.assemble import assemble
from fixtures import decoder
from fixtures.decoder.native import Native

from ..cli import run
from ..dist import validator
from .conftest import BLANK, ORT, value
from .gpu import gpu_page
from .server import Site, serving

pytestmark = [pytest.mark.browser, pytest.mark.models]

CONFIG = """from bundler import Entry, define_config
from bundler.loaders import kv_cache, quantize_weights, split

config = define_config(entries={"writer": Entry(source="model.onnx", variants={
    "small": [quantize_weights(bits=4), kv_cache("int8")],
    "half": [kv_cache("float16")],
    "full": [],
}), "cut": Entry(source="model.onnx", use=[split(stages=2)])})
"""
VARIANTS = ("small", "half", "full")
COUNT = 40
WRITE = """
const model = await m.load("writer", { variant: arg.variant, worker: arg.worker });
const told = [];
const onToken = arg.tells ? (token, index) => told.push([token, index]) : undefined;
const texts = [];
for (const options of arg.texts) texts.push(await model.generate({ ...options, onToken }));
const facts = { texts, told, worker: model.info.worker, generation: model.generation };
await model.dispose();
return facts;
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writer")
    for name in ("model.onnx", "generation_config.json"):
        (folder / name).write_bytes((decoder.folder() / name).read_bytes())
    (folder / "model.config.py").write_text(CONFIG)
    run(folder, "build").ok()
    return folder


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    """Beginnings of texts that the model was not trained on."""
    held = np.load(decoder.folder() / "held-out.npy").tolist()
    starts = [index + 1 for index, token in enumerate(held) if token == decoder.END][:3]
    return [held[start : start + 12] for start in starts]


@pytest.fixture
def page(project: Path, chromium: Browser) -> Any:
    mounts = {"/dist/": project / "dist", "/ort/": ORT}
    with serving(Site(mounts=mounts, pages={"/": BLANK})) as site:
        context = chromium.new_context()
        # wasm memories tell what onnxruntime holds
        context.add_init_script("""
          const Memory = WebAssembly.Memory;
          window.memories = [];
          WebAssembly.Memory = function (...options) {
            const it = new Memory(...options);
            memories.push(it);
            return it;
          };
          WebAssembly.Memory.prototype = Memory.prototype;
          const instantiate = WebAssembly.instantiate;
          WebAssembly.instantiate = async (...given) => {
            const made = await instantiate.apply(WebAssembly, given);
            const { exports } = made.instance ?? made;
            memories.push(...Object.values(exports).filter((each) => each instanceof Memory));
            return made;
          };
        """)
        page = context.new_page()
        page.goto(site.origin + "/")
        yield page
        context.close()


def written(page: Page, variant: str, texts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = value(page, WRITE, {"variant": variant, "texts": texts, "worker": False} | more)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_greedy_tokens_are_those_of_native_onnxruntime(
    project: Path, prompts: list[list[int]], page: Page, variant: str, tmp_path: Path
) -> None:
    emitted = read_manifest(str(project / "dist")).entries["writer"].variants[VARIANTS.index(variant)]
    native = Native(assemble(str(project / "dist"), emitted, str(tmp_path / "native")))
    expected = [native.greedy(prompt, COUNT) for prompt in prompts]
    assert len({tuple(text) for text in expected}) == len(prompts)
    texts = [{"input_ids": prompt, "max_new_tokens": COUNT} for prompt in prompts]
    found = written(page, variant, texts, tells=True)
    assert [text["tokens"] for text in found["texts"]] == expected
    assert found["told"] == [[token, index] for text in expected for index, token in enumerate(text)]
    sizes = {"small": 2 * 3 * 2 * 33, "half": 2 * 3 * 2 * 32 * 2, "full": 2 * 3 * 2 * 32 * 4}
    assert found["generation"]["bytesPerToken"] == sizes[variant]
    assert found["generation"]["end"] == [decoder.END]


@pytest.mark.parametrize("release", [False, True])
def test_a_decoder_in_stages_writes_the_same(prompts: list[list[int]], page: Page, release: bool) -> None:
    script = """
      const texts = [];
      for (const [name, options] of [["writer", { variant: "full" }], ["cut", { release: arg.release }]]) {
        const model = await m.load(name, options);
        const asked = arg.prompts.map((input_ids) => model.generate({ input_ids, max_new_tokens: 12 }));
        texts.push((await Promise.all(asked)).map(({ tokens }) => tokens));
        await model.dispose();
      }
      return texts;
    """
    whole, cut = value(page, script, {"prompts": prompts, "release": release})
    assert len({tuple(text) for text in whole}) == len(prompts)
    assert whole == cut


def test_a_worker_writes_the_same(prompts: list[list[int]], page: Page) -> None:
    texts = [
        {"input_ids": prompts[0], "max_new_tokens": 20},
        {"input_ids": prompts[0], "max_new_tokens": 20, "temperature": 1, "top_p": 0.9, "seed": 5},
    ]
    here, there = (written(page, "small", texts, worker=worker, tells=True) for worker in (False, True))
    assert (here.pop("worker"), there.pop("worker")) == (False, True)
    assert here == there


def test_chance_has_a_seed(prompts: list[list[int]], page: Page) -> None:
    def drawn(**options: Any) -> dict[str, Any]:
        return {"input_ids": prompts[0], "max_new_tokens": 24, "temperature": 1, **options}

    texts = [drawn(seed=1), drawn(seed=1), drawn(seed=2), drawn(seed=1, top_p=0.5), drawn(seed=1, top_k=1)]
    texts += [drawn(seed=3, temperature=0), drawn(seed=3, top_p=0), drawn(), drawn()]
    one, same, other, narrow, first, cold, nucleus, free, freer = (
        text["tokens"] for text in written(page, "full", texts)["texts"]
    )
    assert one == same
    assert len({tuple(text) for text in (one, other, narrow, cold, free, freer)}) == 6
    assert first == nucleus == cold  # the likeliest alone


def test_a_text_ends_where_the_model_ends_it(prompts: list[list[int]], page: Page) -> None:
    greedy = written(page, "full", [{"input_ids": prompts[0], "max_new_tokens": 12}])["texts"][0]
    assert (len(greedy["tokens"]), greedy["finish_reason"]) == (12, "length")
    end = greedy["tokens"][-1]
    cut = greedy["tokens"].index(end)
    stopped = written(page, "full", [{"input_ids": prompts[0], "max_new_tokens": 12, "eos_token_id": end}])
    assert stopped["texts"] == [{"tokens": greedy["tokens"][:cut], "finish_reason": "stop"}]


@pytest.mark.parametrize("worker", [False, True])
def test_an_abort_ends_it_and_the_model_goes_on(prompts: list[list[int]], page: Page, worker: bool) -> None:
    script = """
      const model = await m.load("writer", { variant: "full", worker: arg.worker });
      const controller = new AbortController();
      const seen = [];
      const options = { input_ids: arg.prompt, max_new_tokens: 100000, eos_token_id: [] };
      const reason = await model.generate({ ...options, signal: controller.signal,
        onToken: (token) => {
          seen.push(token);
          if (seen.length === 5) setTimeout(() => controller.abort("enough"));
        } }).catch((e) => e);
      const then = seen.length;
      const thrown = await model.generate({ ...options, onToken: () => { throw new Error("mine"); } }).catch((e) => e);
      const early = await model.generate({ ...options, signal: AbortSignal.abort("before") }).catch((e) => e);
      const wrong = [];
      const few = { ...options, max_new_tokens: 0 };
      for (const odd of [{ input_ids: [] }, { input_ids: [1024] }, few, { ...options, top_p: 2 }])
        wrong.push(await model.generate(odd).catch((e) => [e.code, e.entry, Boolean(e.fix)]));
      const two = { ...options, max_new_tokens: 5 };
      const both = await Promise.all([model.generate(two), model.generate(two)]);
      const last = model.generate(two);
      await model.dispose();
      const late = await model.generate(two).catch((e) => e.code);
      return { reason, then, count: seen.length, thrown: thrown.message, early, wrong, seen, late,
        both: both.map(({ tokens }) => tokens), last: (await last).tokens };
    """
    found = value(page, script, {"worker": worker, "prompt": prompts[1]})
    assert (found["reason"], found["thrown"], found["early"], found["late"]) == ("enough", "mine", "before", "disposed")
    assert 5 <= found["then"] == found["count"] < 1000
    assert found["wrong"] == [["feeds", "writer", True]] * 4
    assert found["both"] == [found["seen"][:5]] * 2
    assert found["last"] == found["seen"][:5]


def test_on_a_gpu_the_cache_stays_there(driver: Playwright, project: Path, prompts: list[list[int]]) -> None:
    """Emulated, and so only a few tokens; the cache never comes off it, but for int8, which it has not."""
    script = """
      const ort = await import("onnxruntime-web/webgpu");
      const places = [];
      const model = await m.load("writer", { device: "webgpu", variant: arg.variant, ort: { ...ort, InferenceSession: {
        create: async (...given) => {
          const session = await ort.InferenceSession.create(...given);
          return { release: () => session.release(), run: async (feeds) => {
            places.push(feeds["past_key_values.0.key"]?.location);
            return session.run(feeds);
          } };
        } } } });
      places.length = 0;
      const { tokens } = await model.generate({ input_ids: arg.prompt, max_new_tokens: 5 });
      return { tokens, places, device: model.info.device };
    """
    with gpu_page(driver, {"/dist/": project / "dist", "/ort/": ORT}) as page:
        found = {name: value(page, script, {"variant": name, "prompt": prompts[0]}) for name in ("full", "small")}
    native = Native(str(project / "model.onnx")).greedy(prompts[0], 5)
    assert found["full"] == {"tokens": native, "places": ["cpu", *["gpu-buffer"] * 4], "device": "webgpu"}
    assert found["small"]["places"] == ["cpu"] * 5
    assert len(found["small"]["tokens"]) == 5


def test_no_memory_is_kept(prompts: list[list[int]], page: Page) -> None:
    """The wasm heap never shrinks: what a text leaves behind would make it grow."""
    script = """
      const model = await m.load("writer", { variant: "full" });
      const heap = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
      const text = () => model.generate({ input_ids: arg, max_new_tokens: 60, eos_token_id: [] });
      const sizes = [];
      for (let round = 0; round < 20; round++) { await text(); sizes.push(heap()); }
      return sizes;
    """
    sizes = value(page, script, prompts[0])
    assert sizes[0] > 0
    assert len(set(sizes[4:])) == 1


def test_a_page_without_a_decoder_fetches_none_of_it(tmp_path: Path, visit: Any, site: Site) -> None:
    from fixtures.models import mlp

    from . import dist

    dist.build(tmp_path / "dist", {"it": {"fp32": mlp()}})
    page = visit()
    has = value(page, 'const it = await m.load("it"); return "generate" in it;')
    assert not has
    assert site.asked(r"runtime-\w+/api.js")
    assert not site.asked("generate|sampling")


def test_a_trial_run_writes(project: Path, page: Page) -> None:
    """A choice that is not the last is tried first: with tokens, not with made-up caches."""
    model = value(page, 'const it = await m.load("writer"); return it.info;')
    assert (model["variant"], model["skipped"]) == ("small", [])


def test_the_build_says_what_a_token_takes(project: Path) -> None:
    stats = json.loads((project / ".mbundle/stats.json").read_text())
    caches = {
        one["name"]: one["cache"]["bytesPerToken"]
        for one in next(one for one in stats["entries"] if one["name"] == "writer")["variants"]
    }
    assert caches == {"small": 396, "half": 768, "full": 1536}
    assert "KV cache: 396 B a token" in run(project, "build").ok().stderr
    manifest = json.loads((project / "dist/model-manifest.json").read_text())
    assert not list(validator().iter_errors(manifest))
    assert read_manifest(str(project / "dist")).to_bytes() == (project / "dist/model-manifest.json").read_bytes()


def test_golden_and_bench_feed_each_variant_its_own_cache(project: Path) -> None:
    run(project, "golden", "record").ok()
    checked = run(project, "golden", "check", "--browser", "none", "--json").ok().json
    found = {name: one["providers"]["native"] for name, one in checked["entries"]["writer"]["variants"].items()}
    assert {name: one["status"] for name, one in found.items()} == dict.fromkeys(VARIANTS, "ok")
    assert 1 > found["half"]["cosine"] > 0.99999
    benched = run(project, "bench", "--browser", "none", "--runs", "1", "--inferences", "1", "--json").ok().json
    timed = {row["variant"]: row for row in benched["entries"]["writer"]["rows"]}
    assert timed.keys() == {None, *VARIANTS}
    assert not any("error" in row for row in timed.values())
