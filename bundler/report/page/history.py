"""The checks of earlier commits, one point each."""

from __future__ import annotations

from typing import Any

from . import dig
from .measured import FIGURES, figure

_SHOWN = ("bytes", "firstLoadBytes", "cosine", "accuracy", *FIGURES)


def changes(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """[{"commit", "time", "entries": {entry: {variant: {figure: number}}}}], oldest first, as the lines are."""
    return [
        {
            "commit": dig.text(line, "commit")[:40],
            "time": dig.text(line, "time"),
            "entries": {
                entry: {name: _figures(row) for name, row in dig.items(variants)}
                for entry, variants in dig.items(line, "entries")
            },
        }
        for line in lines
    ]


def _figures(row: dict[str, Any]) -> dict[str, float]:
    """Further metrics of a golden set are called "score <its name>"."""
    found = {name: figure(row.get(name)) for name in _SHOWN}
    found |= {f"score {name}": value for name, value in dig.counts(row, "scores").items()}
    return {name: value for name, value in found.items() if value is not None}
