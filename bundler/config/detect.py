"""What a project holds already: .onnx files, and what kind of web app it is. Looks at names and package.json only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from .names import complaint, slug, unaccented

_SKIPPED = frozenset(
    {"__pycache__", "build", "coverage", "dist", "env", "node_modules", "out", "site-packages", "venv"}
)
_FOLDERS = 20_000
_DEPTH = 8
_GENERIC = frozenset({"decoder", "encoder", "model", "model-quantized", "network", "onnx"})
"""File names that say nothing about the model: its folder's name is better."""
_STATIC = {
    "@sveltejs/kit": "static",
    "@angular/core": "public",
    "astro": "public",
    "next": "public",
    "nuxt": "public",
    "react-scripts": "public",
    "vite": "public",
}
"""Frameworks, the most telling first, and the folder whose files they serve as they are."""
_BUNDLERS = ("webpack", "parcel", "rollup", "esbuild", "@rspack/core")


class WebProject(NamedTuple):
    """The web app around the models."""

    tool: str
    """The framework or bundler found, or "" without a package.json."""
    static: str
    """Its folder of files that are served as they are, or ""."""

    def output(self, models: Iterable[str]) -> str:
        """Where a build may go: the app's own bundler leaves it alone, and none of `models` lies there."""
        if self.static:
            places = (f"{self.static}/models", f"{self.static}/mbundle", f"{self.static}/mbundle-output")
            return next(place for place in places if not any(path.startswith(f"{place}/") for path in models))
        return "mbundle-output" if self.tool else "dist"


def find_models(root: str) -> list[str]:
    """Paths of .onnx files below `root`, relative with slashes, sorted; installed and built ones are left out."""
    return sorted(_models(root))


def _models(root: str) -> Iterator[str]:
    for top, folders, files in islice(os.walk(root), _FOLDERS):
        below = os.path.relpath(top, root)
        deep = below != "." and below.count(os.sep) + 2 > _DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if _is_searched(top, name))
        for name in files:
            if name.lower().endswith(".onnx") and not name.startswith(".") and os.path.isfile(os.path.join(top, name)):
                yield os.path.normpath(os.path.join(below, name)).replace(os.sep, "/")


def _is_searched(top: str, name: str) -> bool:
    if name.startswith(".") or name in _SKIPPED:
        return False
    return not any(os.path.exists(os.path.join(top, name, mark)) for mark in (".mbundle.json", "pyvenv.cfg"))


def name_models(paths: Iterable[str]) -> dict[str, str]:
    """Entry name -> path. The name is the file's, or its folder's when the file is called model.onnx or the like."""
    named: dict[str, str] = {}
    taken: set[str] = set()
    for path in paths:
        name = _free(_name(path), taken)
        taken.add(slug(name))
        named[name] = path
    return named


def _name(path: str) -> str:
    *folders, file = path.split("/")
    stem = file.rsplit(".", 1)[0]
    useful = [part for part in reversed(folders) if slug(part) not in {*_GENERIC, "models", "public", "src", "assets"}]
    words = useful[0] if slug(stem) in _GENERIC and useful else stem
    name = slug(unaccented(words))[:48].strip("-") or "model"
    return name if complaint(name, "an entry") is None else f"{name}-model"


def _free(name: str, taken: set[str]) -> str:
    return next(free for free in (name, *(f"{name}-{n}" for n in range(2, 10_000))) if slug(free) not in taken)


def web_project(root: str) -> WebProject:
    """What package.json depends on."""
    found = _dependencies(os.path.join(root, "package.json"))
    if found is None:
        return WebProject("", "")
    tool = next((name for name in (*_STATIC, *_BUNDLERS) if name in found), "package.json")
    static = _STATIC.get(tool, "public" if os.path.isdir(os.path.join(root, "public")) else "")
    return WebProject(tool, static)


def _dependencies(path: str) -> set[str] | None:
    """Names of all packages in package.json; None when there is none that can be read."""
    try:
        with open(path, encoding="utf-8-sig") as stream:
            package: Any = json.loads(stream.read(1 << 20))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(package, dict):
        return None
    groups = (package.get(key) for key in ("dependencies", "devDependencies", "peerDependencies"))
    return {name for group in groups if isinstance(group, dict) for name in group}
