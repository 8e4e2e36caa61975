"""`.mbundle/golden.json`: what the last golden check of each variant found; docs/golden.md has its layout."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ..cache import atomic
from ..cache.location import WORK_FOLDER

Row = dict[str, Any]
FILE = "golden.json"
VERSION = 1


def accuracy(root: str) -> dict[str, dict[str, Row]]:
    """Entry -> variant -> the last check's worst figures: {"metric", "value", "atLeast", "cosine", "identity", "worst",
    "scores"}.

    `worst`: the place where the first metric is. `scores`: every metric that was asked for -> its worst value. {} when
    nothing was checked. For budgets and the report; a figure is only about the variant whose `emit.verdicts.identity`
    it carries.
    """
    return {
        entry: {name: _worst(row, one) for name, one in row["variants"].items() if _measured(one)}
        for entry, row in load(root).items()
    }


def _measured(one: Row) -> dict[str, Row]:
    return {place: row for place, row in one["providers"].items() if "value" in row}


def _worst(entry: Row, one: Row) -> Row:
    place, row = min(_measured(one).items(), key=lambda item: float(item[1]["value"]))
    scores: dict[str, float] = {}
    for found in _measured(one).values():
        for name, value in found.get("metrics", {}).items():
            scores[name] = min(value, scores.get(name, value))
    told = {"metric": entry["metric"], "value": row["value"], "cosine": row["cosine"], "worst": place}
    return told | {"atLeast": entry["atLeast"], "identity": one["identity"], "scores": scores}


def load(root: str) -> dict[str, Row]:
    """The entries of `.mbundle/golden.json`; {} where it is not there or another version wrote it."""
    try:
        with open(os.path.join(root, WORK_FOLDER, FILE), "rb") as file:
            value = json.load(file)
        return dict(value["entries"]) if value["version"] == VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def save(root: str, rows: Mapping[str, Row]) -> None:
    """Keeps what was found; figures of other variants and providers stay where the emitted files are the same."""
    kept = load(root)
    for entry, row in rows.items():
        before = kept.get(entry, {}).get("variants", {})
        merged = dict(before)
        for name, one in row["variants"].items():
            same = before.get(name, {}).get("identity") == one["identity"]
            merged[name] = one | {"providers": (before[name]["providers"] if same else {}) | one["providers"]}
        kept[entry] = row | {"variants": merged}
    os.makedirs(os.path.join(root, WORK_FOLDER), exist_ok=True)
    text = json.dumps({"version": VERSION, "entries": kept}, sort_keys=True, indent=1)
    atomic.write(os.path.join(root, WORK_FOLDER, FILE), text.encode() + b"\n")
