"""The generated .d.ts, as TypeScript sees it: right use compiles, each wrong use is an error on its own line."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundler.emit.loader import render, runtime_files

from .conftest import ROOT

TSC = ROOT / "node_modules" / "typescript" / "bin" / "tsc"

GOOD = """
import { load, preload, entries, setBase, MbundleError, type Feeds, type Outputs } from "./dist/models.js";
import icons, { load as loadIcons } from "./dist/entries/icons.js";

const names: readonly ("icons" | "odd-name" | "writer" | "listener")[] = entries;
const model = await load("icons", { signal: new AbortController().signal, onProgress: (progress) => {
  const share: number = progress.loaded / progress.total;
  const at: "download" | "session" | "ready" = progress.phase;
  void [share, at, names]; } });
const { embedding } = await model.run({ input_ids: [[1, 2, 3]], attention_mask: new BigInt64Array(3) });
const vector: Float32Array = embedding.data;
const dims: readonly [number, 384] = embedding.dims;
await model.run({ input_ids: { data: [1n, 2n], dims: [1, 2] }, attention_mask: [1, 0] });
const feeds: Feeds<"odd-name"> = { "__proto__": [1], "a b": [true], s: ["text"], u: new Uint8Array(4) };
const odd = await (await load("odd-name")).run(feeds);
const scores: Outputs<"odd-name">["x:0"] = odd["x:0"];
const big: BigInt64Array = scores.data;
const one = await loadIcons({ device: "wasm" });
const same: Float32Array = (await one.run({ input_ids: [1], attention_mask: [1] })).embedding.data;
await icons.preload(); await preload("icons"); await model.dispose(); setBase("/models/"); setBase(null);
try { await load("icons"); }
catch (error) { if (error instanceof MbundleError && error.code === "stale-build") void error.fix; }
void [vector, dims, big, same, model.info.variant];
const writer = await load("writer");
const { tokens, finish_reason } = await writer.generate({ input_ids: [1, 2], top_p: 0.9, onToken: (token, index) => {
  const at: number = token + index; void at; } });
const texts: readonly [number[], "stop" | "length", number] = [tokens, finish_reason, writer.generation.bytesPerToken];
await (await writer.run({ input_ids: [1] })).logits.data.at(0); void texts;
await writer.generate({ input_ids: [1], attention_mask: [1], decoder_input_ids: [2] });
await (await load("listener")).generate({ inputs: { input_features: new Float32Array(8) }, max_new_tokens: 3 });
"""

BAD = """
import { load, type Feeds, MbundleError } from "./dist/models.js";
const model = await load("icons");
await load("icon"); // error
await model.run({ input_ids: [1] }); // error
await model.run({ input_ids: [1], attention_mask: [1], more: [1] }); // error
await model.run({ input_ids: ["1"], attention_mask: [1] }); // error
await model.run({ input_ids: new Float32Array(1), attention_mask: [1] }); // error
const out = await model.run({ input_ids: [1], attention_mask: [1] });
out.embeddings; // error
const wrong: Float64Array = out.embedding.data; // error
const size: 383 = out.embedding.dims[1]; // error
await load("icons", { device: "gpu" }); // error
const feeds: Feeds<"odd-name"> = { "a b": [true] }; // error
new MbundleError().code === "nope"; // error
void [wrong, size, feeds];
const writer = await load("writer");
await writer.generate({ max_new_tokens: 3 }); // error
await writer.generate({ input_ids: [1], temperature: "hot" }); // error
await model.generate({ input_ids: [1] }); // error
await (await load("listener")).generate({ input_ids: [1] }); // error
"""


def port(name: str, dtype: str, shape: list[int | str | None] | None) -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": shape}


def entry(
    inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], generation: dict[str, Any] | None = None
) -> dict[str, Any]:
    graph = {"file": "g.onnx", "bytes": 1, "sha256": "0" * 64}
    variant = {"name": "v", "graph": graph, "data": [], "inputs": inputs, "outputs": outputs}
    return {"variants": [variant | ({} if generation is None else {"generation": generation})]}


MANIFEST = {
    "entries": {
        "icons": entry(
            [port("input_ids", "int64", ["batch", "seq"]), port("attention_mask", "int64", ["batch", "seq"])],
            [port("embedding", "float32", ["batch", 384])],
        ),
        "odd-name": entry(
            [
                port("__proto__", "float32", [1]),
                port("a b", "bool", None),
                port("s", "string", [None]),
                port("u", "uint8", [4]),
            ],
            [port("x:0", "int64", [])],
        ),
        "listener": entry([port("input_features", "float32", ["b", 8])], [port("logits", "float32", ["b", 1, 9])], {}),
        "writer": entry([port("input_ids", "int64", ["b", "s"])], [port("logits", "float32", ["b", "s", 9])], {}),
    }
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    runtime, modules = runtime_files()
    texts = {f"{runtime}/{name}": body for name, body in modules.items()}
    for path, body in {**texts, **render(MANIFEST, "manifest-0.json", "0" * 64, 1)}.items():
        file = tmp_path / "dist" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return tmp_path


@pytest.mark.parametrize("lib", [["es2022", "dom"], ["esnext", "dom"]])
def test_right_use_compiles(lib: list[str], folder: Path) -> None:
    assert tsc(folder, GOOD, lib) == []


def test_each_wrong_use_is_an_error_where_it_stands(folder: Path) -> None:
    wanted = {number for number, line in enumerate(BAD.splitlines(), 1) if "// error" in line}
    assert set(tsc(folder, BAD, ["es2022", "dom"])) == wanted


def tsc(folder: Path, source: str, lib: list[str]) -> list[int]:
    """Lines with errors, by a strict tsc that does not skip our own .d.ts."""
    (folder / "use.ts").write_text(source)
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": False,
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
        "lib": lib,
        "types": [],
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["use.ts"]}))
    done = subprocess.run(
        ["node", str(TSC), "-p", ".", "--pretty", "false"], capture_output=True, text=True, cwd=folder
    )
    found = re.findall(r"^(.*?)\((\d+),\d+\): error", done.stdout, re.MULTILINE)
    assert all(file == "use.ts" for file, _ in found), done.stdout
    assert done.returncode == 0 or found, done.stdout
    return [int(line) for _, line in found]


def test_the_runtime_itself_passes_strict_checks() -> None:
    done = subprocess.run(["node", str(TSC), "-p", str(ROOT / "templates")], capture_output=True, text=True)
    assert done.stdout == ""
