"""The report's data as the page holds it: tensors as columns of numbers, since a model may have 10,000 of them."""

from __future__ import annotations

from typing import Any

_FIELDS = ("name", "op", "dtype", "chunk")


def pack(data: dict[str, Any]) -> dict[str, Any]:
    """`data` with every text of a tensor once, in "strings"; templates/report/unpack.js undoes it."""
    strings: dict[str, int] = {}
    entries = [
        {**entry, "variants": [_variant(one, strings) for one in entry["variants"]]} for entry in data["entries"]
    ]
    return {**data, "entries": entries, "strings": list(strings)}


def _variant(variant: dict[str, Any], strings: dict[str, int]) -> dict[str, Any]:
    def index(text: str) -> int:
        return strings.setdefault(text, len(strings))

    rows = variant["tensors"]
    columns: dict[str, list[int]] = {field: [index(row[field]) for row in rows] for field in _FIELDS}
    columns["layer"] = [index("\x1f".join(row["layer"])) for row in rows]
    columns["shape"] = [index(" × ".join(map(str, row["shape"]))) for row in rows]
    columns["bytes"] = [row["bytes"] for row in rows]
    return {**variant, "tensors": columns}
