"""Names of entries and variants: keys in JavaScript, parts of file names and URLs on every system."""

from __future__ import annotations

import re
from typing import Any

from ..errors import printable

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_JAVASCRIPT = frozenset({"__proto__", "constructor", "prototype"})
_WINDOWS = r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?"


def slug(name: str) -> str:
    """The part of a file name that stands for `name`: [a-z0-9-] only. Two entries never share one."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def unaccented(text: str) -> str:
    """`text` in ASCII: letters without their accents, everything else that is not ASCII dropped."""
    import unicodedata

    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def complaint(name: Any, kind: str) -> tuple[str, str, str | None] | None:
    """(code, what, fix) of why `name` cannot name a `kind`, or None when it can."""
    if not isinstance(name, str):
        return "MB116", f"The name of {kind} must be a string, not {printable(repr(name), 60)}.", None
    if name in _JAVASCRIPT or re.fullmatch(_WINDOWS, name.lower()):
        system = "JavaScript" if name in _JAVASCRIPT else "Windows"
        return (
            "MB118",
            f'"{name}" cannot name {kind}: {system} reserves it.',
            f'Use another name, such as "{name}-model".',
        )
    if re.fullmatch(_NAME, name) and not name.endswith(".") and ".." not in name:
        return None
    return "MB116", f'"{printable(name, 60)}" cannot name {kind}: {_reason(name)}.', _proposal(name)


def _reason(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > 64:
        return f"it has {len(name)} characters, more than 64"
    if name.endswith(".") or ".." in name:
        return "it ends with a dot or holds two in a row"
    wrong = next((c for c in name if not re.fullmatch(r"[A-Za-z0-9._-]", c)), None)
    if wrong is None:
        return f'it starts with "{name[0]}"'
    return f'it contains "{printable(wrong)}"'


def _proposal(name: str) -> str | None:
    better = re.sub(r"[^A-Za-z0-9_-]+", "-", unaccented(name)).strip("-_.")[:64]
    return f'Use letters, digits, "-", "_" and ".", for example "{better}".' if better and better != name else None
