"""`.mbundle/history.jsonl`, or any file: one line a check, for trends.

{"commit", "time", "entries": {entry: {variant: {"bytes", "firstLoadBytes", "accuracy"?, "scores"?, "loadMs"?, ...}}}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..cache.location import WORK_FOLDER
from ..catalogue import problem
from ..errors import OutputError
from .machine import commit

_TAIL = 1 << 20
"""Bytes from the end that are read: thousands of checks."""


def path(root: str) -> str:
    return os.path.join(root, WORK_FOLDER, "history.jsonl")


def append(file: str, root: str, facts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """One line, in one write, so that two checks at once do not mix theirs. OutputError MB543."""
    entries = {
        name: {one: {key: value for key, value in values.items() if key != "files"} for one, values in variants.items()}
        for name, variants in facts.items()
    }
    row = {"commit": commit(root), "time": datetime.now(UTC).isoformat(timespec="seconds"), "entries": entries}
    try:
        os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
        with open(file, "ab", buffering=0) as out:
            out.write(json.dumps(row, sort_keys=True).encode() + b"\n")
    except OSError as error:
        raise OutputError(problem("MB543", f"It cannot be written: {error.strerror}.", file=file)) from error


def read(file: str) -> list[dict[str, Any]]:
    """The last checks, oldest first; lines that are damaged are passed over, [] where there is no file."""
    try:
        with open(file, "rb") as content:
            content.seek(max(0, os.path.getsize(file) - _TAIL))
            lines = content.read().splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("entries"), dict):
            rows.append(row)
    return rows


def trend(rows: list[dict[str, Any]], entry: str, variant: str, key: str, most: int = 12) -> list[float]:
    """The last values of a figure."""
    found = []
    for row in rows:
        value = _inside(row["entries"], entry, variant, key)
        if isinstance(value, int | float):
            found.append(float(value))
    return found[-most:]


def _inside(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
