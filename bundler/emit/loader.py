"""The JavaScript and TypeScript that a page imports, made of template files and the manifest's data.

All of it are pointers: small files without a hash in their name, pinned to the hashed manifest by name, size and
sha256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from .fill import fill
from .minified import emitted, runtime_sources
from .ort import Builds
from .templates import folder

_PORT = ("name", "dtype", "shape")
_SAFE_STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")


@cache
def runtime_files() -> tuple[str, dict[str, bytes]]:
    """The folder name `runtime-<sha8>` of the browser runtime, and its files by name."""
    types = (folder() / "runtime" / "types.d.ts").read_text(encoding="utf-8")
    files = {name: text.encode() for name, text in {**emitted(runtime_sources()), "types.d.ts": types}.items()}
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + content + b"\0" for name, content in files.items()))
    return f"runtime-{digest.hexdigest()[:8]}", files


def render(
    manifest: Mapping[str, Any], file: str, sha256: str, size: int, *, base: str = "./", ort: Builds | None = None
) -> dict[str, bytes]:
    """The loader of a build, by path below the output folder: `models.js`, `entries/<entry>.js` and their types.

    `file`, `sha256` and `size` (bytes) are those of the manifest below `assets/`. `base` is the URL of the output
    folder when it is served from elsewhere than beside the loader; "./" lets bundlers and pages find each file by
    themselves. `ort`: the copy of onnxruntime-web in the output, where there is one.
    """
    runtime, _ = runtime_files()
    pin = {"file": file, "bytes": size, "sha256": sha256}
    entries: dict[str, Any] = manifest["entries"]
    made = _facade(entries, runtime)
    for name, entry in entries.items():
        made |= _module(name, entry, runtime, pin, base, ort)
    return {path: text.encode() for path, text in made.items()}


def _facade(entries: Mapping[str, Any], runtime: str) -> dict[str, str]:
    values = {"RUNTIME": f"./{runtime}"}
    rows = [
        {
            "NAME": name,
            "LOAD": entry.get("load", "lazy"),
            "MODULE": f"./entries/{stem(name)}.js",
            "SIGNATURE": _signature(entry),
        }
        for name, entry in entries.items()
    ]
    return {name: fill(_template(name), values, {"entries": rows}) for name in ("models.js", "models.d.ts")}


def _module(
    name: str, entry: Mapping[str, Any], runtime: str, pin: Mapping[str, Any], base: str, ort: Builds | None
) -> dict[str, str]:
    # Each URL is written out so that bundlers see the file and may give it another name.
    values = {
        "RUNTIME": f"../{runtime}",
        "NAME": name,
        "MANIFEST": pin,
        "BASE": None if base == "./" else base,
        "ORT": ort,
        "SIGNATURE": _signature(entry),
    }
    copied = [build[part] for build in (ort or {}).values() for part in ("module", "wasm")]
    names = [pin["file"], *dict.fromkeys(_files(entry)), *copied] if base == "./" else []
    rows = [{"FILE": each, "PATH": f"../assets/{each}"} for each in names]
    kinds = ("js", "d.ts")
    return {f"entries/{stem(name)}.{kind}": fill(_template(f"entry.{kind}"), values, {"files": rows}) for kind in kinds}


def _template(name: str) -> str:
    return (folder() / "loader" / name).read_text(encoding="utf-8")


def stem(name: str) -> str:
    """File name of an entry's module: the entry's own name where every file system and URL takes that."""
    if _SAFE_STEM.match(name):
        return name
    return f"entry-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _signature(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs and outputs of the first variant, which all variants of an entry share, and the names of its assets."""
    first = entry["variants"][0]
    ports = {side: [{key: port[key] for key in _PORT} for port in first[side]] for side in ("inputs", "outputs")}
    assets = [asset["name"] for asset in entry.get("assets", ())]
    ports |= {"assets": assets} if assets else {}
    return ports | ({"generates": True} if "generation" in first else {})


def _files(entry: Mapping[str, Any]) -> Iterator[str]:
    for variant in entry["variants"]:
        yield from (part["graph"]["file"] for part in variant.get("stages") or [variant])
        for data in variant["data"]:
            yield from (chunk["file"] for chunk in data["chunks"])
    yield from (asset["file"] for asset in entry.get("assets", ()))
