"""From checkpoints to pages, with torch: what is exported, what is kept, and that a page computes what torch does."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import minilm

from .. import dist
from ..cli import ROOT, command, environment, run
from ..watching import watching
from . import hugging
from .conftest import value
from .server import Site

PYTHON = Path(os.environ.get("MBUNDLE_EXPORT_PYTHON") or ROOT / ".venv-export/bin/python")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.torch,
    pytest.mark.skipif(not PYTHON.exists(), reason="scripts/test makes .venv-export"),
]
TEXTS = ["wallet", "a picture of the sea at night", "sign out"]
CONFIG = """from bundler import Entry, Output, define_config
from bundler.loaders import quantize_weights, simplify

config = define_config(entries={%s}, output=Output(layout=%r), export_python="./python")
"""


def wrapped(folder: Path) -> Path:
    """`folder`, with a Python that writes down what it was asked to do."""
    wrapper = folder / "python"
    wrapper.write_text(f'#!/bin/sh\necho "$2" >>"{folder}/asked"\nexec {shlex.quote(str(PYTHON))} "$@"\n')
    wrapper.chmod(0o755)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return wrapped(tmp_path)


def configure(project: Path, layout: str = "mbundle", **entries: str) -> None:
    listed = ", ".join(f'"{name}": Entry({options})' for name, options in entries.items())
    (project / "model.config.py").write_text(CONFIG % (listed, layout))


def asked(project: Path) -> list[str]:
    """Verbs since the last call."""
    file = project / "asked"
    lines = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def checkpoints(project: Path, *names: str) -> None:
    script = ROOT / "fixtures/checkpoints.py"
    subprocess.run([PYTHON, "-P", script, project, *names], check=True, capture_output=True)


def cosine(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    left, right = left.astype(np.float64).ravel(), right.astype(np.float64).ravel()
    return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))


@pytest.mark.models
@pytest.mark.browser
def test_minilm_from_checkpoint_to_page(project: Path, visit: Callable[..., Any], site: Site) -> None:
    pytest.importorskip("tokenizers")
    checkpoint = minilm.checkpoint()
    (project / "minilm").symlink_to(checkpoint)
    configure(
        project,
        "transformers.js",
        icons='source="./minilm", variants={"fp32": [simplify()], "q8": [quantize_weights(bits=8, embeddings=False)]}',
    )
    entry = run(project, "build", "--json", timeout=900).ok().json["entries"][0]
    assert asked(project) == ["probe", "export"]
    assert entry["export"]["task"] == "feature-extraction"
    assert entry["export"]["compared"]["last_hidden_state"]["cosine"] > 0.999999
    assert "against torch: cosine 1.0000000" in entry["notes"][0]

    feeds = _sentences(*TEXTS)
    expected = _torch(project, checkpoint, feeds)
    page = visit()
    script = """const model = await m.load("icons");
      const feeds = Object.fromEntries(Object.entries(arg.feeds).map(([name, data]) =>
        [name, { data: BigInt64Array.from(data, BigInt), dims: arg.dims }]));
      const { last_hidden_state } = await model.run(feeds);
      const tokenizer = await (await m.assets("icons"))["tokenizer.json"].text();
      return { values: Array.from(last_hidden_state.data), dims: last_hidden_state.dims, tokenizer };"""
    plain = {name: array.ravel().tolist() for name, array in feeds.items()}
    found = value(page, script, {"feeds": plain, "dims": list(feeds["input_ids"].shape)})
    assert found["tokenizer"] == (checkpoint / "tokenizer.json").read_text()
    assert cosine(np.array(found["values"]), expected) >= 0.9999

    by_hugging_face(visit, site, np.array(found["values"]), list(expected.shape))

    assert run(project, "build", "--json").ok().json["fresh"]
    assert asked(project) == []
    by_name = 'quantize_weights(bits=8, tensors=["encoder.layer.5.attention.self.query.weight"])'
    configure(project, icons=f'source="./minilm", variants={{"w8": [{by_name}, quantize_weights(bits=8)]}}')
    again = run(project, "build", "--json", timeout=300).ok().json
    assert again["entries"][0]["export"]["cached"]
    assert [step["status"] for step in again["entries"][0]["variants"][0]["steps"]] == ["ok", "ok"]
    assert asked(project) == ["probe"]
    assert {asset["name"] for asset in dist.manifest(project / "dist")["entries"]["icons"]["assets"]} == {
        "config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def by_hugging_face(visit: Callable[..., Any], site: Site, ours: np.ndarray[Any, Any], shape: list[int]) -> None:
    """The same texts through @huggingface/transformers, tokenizer and all, from the folder laid out for it."""
    hugging.furnish(site)
    page = visit("/hf.html")
    page.evaluate("window.models = {}")
    script = (
        hugging.RUN
        + """const tokenizer = await AutoTokenizer.from_pretrained(model);
      const { last_hidden_state } = await loaded(tokenizer(arg.texts, { padding: true }));
      return { values: Array.from(last_hidden_state.data), dims: last_hidden_state.dims, dtypes };"""
    )
    found = value(page, script, {"entry": "icons", "texts": TEXTS, "dtype": "fp32"})
    assert (found["dtypes"], found["dims"]) == (["fp32", "q8"], shape)
    assert np.allclose(found["values"], ours, atol=1e-5)
    small = value(page, script, {"entry": "icons", "texts": TEXTS, "dtype": "q8"})
    assert 0.99 < cosine(np.array(small["values"]), ours) < 0.9999999
    assert len(site.asked(r"/onnx/model(_quantized)?\.onnx_data$")) == 2


def _sentences(*texts: str) -> dict[str, np.ndarray[Any, Any]]:
    codes = [encoding.ids for encoding in minilm.tokenizer().encode_batch(list(texts))]
    ids = np.zeros((len(codes), max(map(len, codes))), np.int64)
    for row, code in enumerate(codes):
        ids[row, : len(code)] = code
    return {"input_ids": ids, "attention_mask": (ids != 0).astype(np.int64), "token_type_ids": np.zeros_like(ids)}


def _torch(project: Path, checkpoint: Path, feeds: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    np.savez(project / "feeds.npz", allow_pickle=False, **feeds)
    script = ROOT / "tests/torch_reference.py"
    arguments = [PYTHON, "-P", script, checkpoint, project / "feeds.npz", project / "torch.npz"]
    subprocess.run(arguments, check=True, capture_output=True)
    with np.load(project / "torch.npz") as found:
        array: np.ndarray[Any, Any] = found["last_hidden_state"]
        return array


def test_architectures_of_all_kinds(project: Path) -> None:
    """A decoder with its past, one that optimum does not know, and two graphs of one checkpoint exported once."""
    checkpoints(project, "decoder", "newcomer", "translator")
    configure(
        project,
        decoder='source="decoder"',
        newcomer='source="newcomer"',
        reads='source="translator", part="encoder_model"',
        writes='source="translator", part="decoder_model_merged"',
    )
    entries = {one["name"]: one for one in run(project, "build", "--json", timeout=900).ok().json["entries"]}
    assert sorted(asked(project)) == ["export"] * 3 + ["probe"] * 4
    assert entries["decoder"]["export"]["task"] == "text-generation-with-past"
    assert entries["decoder"]["export"]["compared"]["present.1.value"]["cosine"] > 0.999999
    assert entries["newcomer"]["export"]["exporter"] == "dynamo"
    assert "by torch.onnx.export (optimum does not know ernie)" in entries["newcomer"]["notes"][0]
    assert entries["newcomer"]["export"]["compared"]["logits"]["cosine"] > 0.999999
    assert "encoder_model.onnx" in entries["writes"]["export"]["parts"]
    found = dist.check(project / "dist")["entries"]
    assert [port["name"] for port in found["reads"]["variants"][0]["outputs"]] == ["last_hidden_state"]
    assert any(port["name"] == "past_key_values.0.key" for port in found["decoder"]["variants"][0]["inputs"])

    configure(project, part='source="translator", part="encoder"')
    ran = run(project, "build")
    assert "error[MB355]" in ran.stderr
    assert "encoder_model" in ran.stderr
    configure(project, wrong='source="decoder", task="image-classification"')
    ran = run(project, "build", timeout=300)
    assert ran.status == 1
    assert "error[MB352]" in ran.stderr
    assert "text-generation" in ran.stderr


def test_watch_exports_again_when_the_checkpoint_changes(project: Path) -> None:
    checkpoints(project, "classifier")
    ran = run(project, "export", "classifier", "--out", "by-hand", "--python", "./python", "--json", timeout=600).ok()
    assert ran.json["files"] == ["config.json", "model.onnx"]
    assert asked(project) == ["probe", "export"]
    configure(project, model='source="classifier"')
    with watching(project) as watch:
        watch.patience = 300
        assert asked(project) == ["probe"]  # by hand it was exported to the same cache
        mark = watch.mark()
        weights = bytearray((project / "classifier/model.safetensors").read_bytes())
        weights[-1] ^= 1
        (project / "classifier/model.safetensors").write_bytes(weights)
        event = watch.after(mark, "model-update")
        assert event["entries"] == ["model"]
        assert asked(project)[-1] == "export"
        started = next(one for one in watch.events[mark:] if one["type"] == "build-start")
        assert started["changed"] == ["classifier/model.safetensors"]
        told = [one["text"] for one in watch.events[mark:] if one["type"] == "progress"]
        assert any("comparing with torch" in text for text in told)


def test_an_interrupted_export_leaves_nothing(project: Path) -> None:
    checkpoints(project, "classifier")
    configure(project, model='source="classifier"')
    process = subprocess.Popen(command("build"), cwd=project, env=environment(), stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while "export" not in ((project / "asked").read_text() if (project / "asked").exists() else ""):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.terminate()
    assert process.wait(120) == 130
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(project) not in left
    assert not (project / "dist").exists()
