"""Which onnxruntime-web a measured page imports: the copy in the output folder, else the project's own."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any

from ..emit import ort
from ..emit.loader import stem

_OWN = re.compile(r"\bort: (\{(?:[^{}]|\{[^{}]*\})*\})")
MOUNT = "/__mbundle/ort/"


@dataclass(frozen=True, slots=True)
class Ort:
    """`folder`: what is served at MOUNT, None: the output has its own. `builds`: as `ways.js` takes them."""

    builds: dict[str, Any]
    folder: str | None = None
    version: str | None = None


def find(dist: str, base: str, entry: str, root: str) -> Ort:
    """For a page that loads `entry` of the output folder, served at `base`. InputError MB430, MB431: there is none."""
    own = _own(os.path.join(dist, "entries", f"{stem(entry)}.js"))
    if own:
        at = f"{base}assets/"
        return Ort({name: {"url": at + pair["module"], "wasm": at + pair["wasm"]} for name, pair in own.items()})
    package = ort.package(root)
    with open(os.path.join(package, "package.json"), "rb") as file:
        version = str(json.load(file)["version"])
    builds = {name: {"url": MOUNT + module, "wasm": None} for name, (module, _) in ort.BUILDS.items()}
    return Ort(builds, os.path.join(package, "dist"), version)


def _own(module: str) -> dict[str, Any] | None:
    try:
        with open(module, encoding="utf-8") as file:
            found = _OWN.search(file.read())
        return json.loads(found[1]) if found else None
    except (OSError, ValueError):
        return None
