"""The small app that `mbundle init --template` writes round a model, and the npm package with the bundlers' plugins.

The package is copied into the app, where `file:./mbundle-plugin` finds it: it needs no registry, is committed with the
app, and so is on every colleague's machine and in CI what the app was written with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template

from .templates import folder

OUTPUT = "mbundle-output"
PLUGIN = "mbundle-plugin"
_HEAD = '    <link rel="stylesheet" href="./src/style.css" />\n'
_FOOT = '    <script type="module" src="./src/main.js"></script>\n'
_OWN: Mapping[str, Mapping[str, str]] = {
    "vanilla": {"IMPORT": f"../{OUTPUT}/models.js", "STYLE": "", "HEAD": _HEAD, "FOOT": _FOOT},
    "vite": {"IMPORT": "virtual:mbundle", "STYLE": "", "HEAD": _HEAD, "FOOT": _FOOT},
    "webpack": {"IMPORT": "virtual:mbundle", "STYLE": 'import "./style.css";\n', "HEAD": "", "FOOT": ""},
}
NAMES = tuple(_OWN)
_NAMED = {"gitignore": ".gitignore"}
"""A .gitignore in this repository would apply to it."""


def files(template: str, entry: str) -> dict[str, str]:
    """Path below the app's folder -> text. `entry`: name of the model that the page shows."""
    apps = folder() / "apps"
    values = {**_OWN[template], "ENTRY": json.dumps(entry, ensure_ascii=False), "TITLE": entry.replace("-", " ")}
    made: dict[str, str] = {}
    for place in (apps / "common", apps / template):
        for path in sorted(each for each in place.rglob("*") if each.is_file()):
            name = path.relative_to(place).as_posix()
            text = path.read_text(encoding="utf-8")
            filled = name in ("index.html", "src/main.js")
            made[_NAMED.get(name, name)] = Template(text).substitute(values) if filled else text
    return made if template == "vanilla" else {**made, **dict(_package())}


def _package() -> Iterator[tuple[str, str]]:
    for part in ("plugins", "dev"):
        place = folder() / part
        for path in sorted(each for each in place.rglob("*") if each.is_file()):
            name = path.relative_to(place).as_posix()
            yield f"{PLUGIN}/{name if name == 'package.json' else f'{part}/{name}'}", path.read_text(encoding="utf-8")


def write(target: str, made: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """(written, left alone): a file that is there already is never touched, except those of the package itself."""
    written, kept = [], []
    for name, text in made.items():
        path = Path(target, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(path, "w" if _ours(path, target, name) else "x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            written.append(name)
        except FileExistsError:
            kept.append(name)
    return written, kept


def _ours(path: Path, target: str, name: str) -> bool:
    whole = os.path.realpath(path) == os.path.join(os.path.realpath(target), *name.split("/"))
    return name.startswith(f"{PLUGIN}/") and whole
