"""Reads fields of JSON that somebody else wrote: what has the wrong type is not there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any


def at(value: Any, *keys: str) -> Any:
    """value[a][b]…, or None."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def number(value: Any, *keys: str) -> float | None:
    """A finite number, or None."""
    found = at(value, *keys)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return found


def text(value: Any, *keys: str) -> str:
    found = at(value, *keys)
    return found if isinstance(found, str) else ""


def objects(value: Any, *keys: str) -> list[dict[str, Any]]:
    found = at(value, *keys)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def items(value: Any, *keys: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(key, object) of an object of objects."""
    found = at(value, *keys)
    if isinstance(found, dict):
        yield from ((key, item) for key, item in found.items() if isinstance(item, dict))


def counts(value: Any, *keys: str) -> dict[str, float]:
    """An object of numbers."""
    found = at(value, *keys)
    if not isinstance(found, dict):
        return {}
    return {key: item for key, item in ((key, number(found, key)) for key in found) if item is not None}


def named(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The row with that name, or an empty one."""
    return next((row for row in rows if row.get("name") == name), {})
