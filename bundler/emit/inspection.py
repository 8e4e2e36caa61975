"""What an output folder holds, as plain data for `mbundle inspect`. Nothing in it is trusted."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from ..chunks import names
from .manifest import FileRef, Manifest, read_manifest

_BLOCK = 1 << 20


def describe_manifest(path: str) -> dict[str, Any]:
    """Sizes in bytes. `damaged`: files that the manifest names and the folder does not hold as named; a manifest that
    lies elsewhere than beside its `assets` folder has none to compare, and `damaged` is then None."""
    manifest = read_manifest(path)
    folder = path if os.path.isdir(path) else os.path.dirname(os.path.abspath(path))
    assets = os.path.join(folder, names.ASSETS)
    users = _users(manifest)
    return {
        "kind": "manifest",
        "path": path,
        "generator": manifest.generator,
        "entries": [_entry(name, manifest) for name in sorted(manifest.entries)],
        "files": [
            {"file": ref.file, "bytes": ref.nbytes, "users": sorted(users.get(ref.file, ()))}
            for ref in sorted(manifest.files().values(), key=lambda ref: (-ref.nbytes, ref.file))
        ],
        "damaged": _damaged(manifest, assets) if os.path.isdir(assets) else None,
    }


def _entry(name: str, manifest: Manifest) -> dict[str, Any]:
    entry = manifest.entries[name]
    first = entry.variants[0] if entry.variants else None
    return {
        "name": name,
        "load": entry.load,
        "inputs": [_port(port) for port in first.inputs] if first else [],
        "outputs": [_port(port) for port in first.outputs] if first else [],
        "variants": [
            {"name": one.name, "bytes": one.measured.nbytes, "ops": len(one.requires.ops)} for one in entry.variants
        ],
    }


def _port(port: Any) -> dict[str, Any]:
    return {"name": port.name, "dtype": port.dtype, "shape": None if port.shape is None else list(port.shape)}


def _users(manifest: Manifest) -> dict[str, set[str]]:
    users: dict[str, set[str]] = {}
    for name, entry in manifest.entries.items():
        for one in entry.variants:
            for file in {one.graph.file, *(ref.file for ref in one.downloads)}:
                users.setdefault(file, set()).add(f"{name}/{one.name}")
    return users


def _damaged(manifest: Manifest, assets: str) -> list[str]:
    return sorted(ref.file for ref in manifest.files().values() if not _whole(os.path.join(assets, ref.file), ref))


def _whole(path: str, ref: FileRef) -> bool:
    try:
        if os.path.getsize(path) != ref.nbytes:
            return False
        sha = hashlib.sha256()
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                sha.update(block)
        return sha.hexdigest() == ref.sha256
    except OSError:
        return False
