"""onnxruntime-web in the output folder: for pages that have no bundler and no import map, `Output(ort="self")`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ..catalogue import problem
from ..chunks.memo import Memo
from ..errors import InputError
from .describe import put_asset
from .manifest import FileRef
from .templates import folder
from .transaction import Transaction

BUILDS = {
    "wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "jspi": ("ort.jspi.bundle.min.mjs", "ort-wasm-simd-threaded.jspi.wasm"),
    "webgpu": ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}
"""The builds that the runtime chooses from: module and wasm, in the package's dist/."""

_SUPPORTED = re.compile(r"1\.(?:3\d|[4-9]\d)\.")

Builds = Mapping[str, Mapping[str, Any]]
"""Build -> {"module": file, "wasm": file}, names below assets/, and "bytes", "sha256" of the wasm."""


def package(root: str) -> str:
    """The installed onnxruntime-web that a module in `root` would get. InputError MB430, MB431."""
    place = root
    while True:
        found = os.path.join(place, "node_modules", "onnxruntime-web")
        if os.path.isfile(os.path.join(found, "package.json")):
            return _supported(found)
        if place == os.path.dirname(place):
            raise InputError(problem("MB430", f"No node_modules at or above {root} has it."))
        place = os.path.dirname(place)


def _supported(found: str) -> str:
    path = os.path.join(found, "package.json")
    try:
        with open(path, "rb") as file:
            version = str(json.load(file)["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(problem("MB430", "Its package.json cannot be read.", file=path)) from error
    if not _SUPPORTED.match(version):
        raise InputError(problem("MB431", f"This is {version[:40]}.", file=path))
    return found


def files(root: str) -> list[str]:
    """Absolute paths of what `put` copies."""
    dist = os.path.join(package(root), "dist")
    return [os.path.join(dist, name) for pair in BUILDS.values() for name in pair]


def put(transaction: Transaction, root: str, memo: Memo) -> Builds:
    """Copies the builds and their licence into the output; those that are there already are not even read (58 MB)."""
    dist = os.path.join(package(root), "dist")
    put_asset(transaction, str(folder() / "ort" / "LICENSE.txt"), memo)

    def put_file(name: str) -> FileRef:
        return put_asset(transaction, os.path.join(dist, name), memo).ref

    return {build: _described(put_file(module), put_file(wasm)) for build, (module, wasm) in BUILDS.items()}


def _described(module: FileRef, wasm: FileRef) -> Mapping[str, Any]:
    return {"module": module.file, "wasm": wasm.file, "bytes": wasm.nbytes, "sha256": wasm.sha256}
