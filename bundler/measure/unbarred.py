"""An output folder as it would be if no variant were left out anywhere: a check has to look at those again, too."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace

import orjson

from ..chunks import names
from ..config.schema import OutputSpec
from ..emit.describe import providers
from ..emit.loader import render, runtime_files
from ..emit.manifest import Manifest, Variant
from ..emit.ownership import MANIFEST


def unbarred(output: OutputSpec, manifest: Manifest, folder: str) -> str:
    """`output.dir` itself where nothing is left out, else `folder`: the same files under pointers that bar nothing."""
    variants = [one for entry in manifest.entries.values() for one in entry.variants]
    if all(one.providers == providers(one.generation) for one in variants):
        return output.dir
    assets = os.path.join(folder, names.ASSETS)
    os.makedirs(assets)
    for name in manifest.files():
        _same(os.path.join(output.dir, names.ASSETS, name), os.path.join(assets, name))
    freed = {
        name: replace(entry, variants=tuple(_freed(one) for one in entry.variants))
        for name, entry in manifest.entries.items()
    }
    data = replace(manifest, entries=freed, encodings={}).to_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    runtime, modules = runtime_files()
    pointers = render(orjson.loads(data), names.manifest(sha256), sha256, len(data))
    files = {f"{runtime}/{name}": content for name, content in modules.items()} | pointers
    files |= {MANIFEST: data, f"{names.ASSETS}/{names.manifest(sha256)}": data}
    for name, content in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    return folder


def _freed(variant: Variant) -> Variant:
    return replace(variant, providers=providers(variant.generation))


def _same(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
