"""The package that `mbundle init --loader` writes: a loader that works, its entry point and its tests."""

from __future__ import annotations

import keyword
import re
from string import Template

from .templates import folder

_PACKAGE = "src/package/"
_NAMED = {"gitignore": ".gitignore"}


def is_name(name: str) -> bool:
    """Whether a config could import a loader of that name."""
    return bool(re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name)) and not keyword.iskeyword(name)


def distribution(name: str) -> str:
    """What pip calls the package, and the folder that it is written into."""
    return f"mbundle-{name.replace('_', '-')}"


def files(name: str, version: str) -> dict[str, str]:
    """Path below the package's folder -> text, for the loader `name`. `version`: of mbundle; it needs at least that."""
    package = f"mbundle_{name}"
    values = {
        "NAME": name,
        "PACKAGE": package,
        "CLASS": "".join(part.capitalize() for part in name.split("_")),
        "DISTRIBUTION": distribution(name),
        "MBUNDLE": version,
    }
    root, made = folder() / "loader-package", {}
    for path in sorted(each for each in root.rglob("*") if each.is_file()):
        place = path.relative_to(root).as_posix().removesuffix(".txt")
        place = _NAMED.get(place, place.replace(_PACKAGE, f"src/{package}/"))
        made[place] = Template(path.read_text(encoding="utf-8")).substitute(values)
    return made
