"""What each loader step did, from the stats of the last build."""

from __future__ import annotations

from typing import Any

from . import dig


def steps_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """`row`: a variant in stats.json. Seconds, bytes; None: unknown."""
    return [_step(step) for step in dig.objects(row, "steps")]


def trials_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """What `auto` tried: [{"bytes", "metric"}]."""
    return [
        {"bytes": nbytes, "metric": metric}
        for step in dig.objects(row, "steps")
        for trial in dig.objects(step, "details", "tried")
        if (nbytes := dig.number(trial, "bytes")) is not None and (metric := dig.number(trial, "metric")) is not None
    ]


def _step(step: dict[str, Any]) -> dict[str, Any]:
    numbers = ("bytesBefore", "bytesAfter", "nodesBefore", "nodesAfter", "seconds", "maxError", "cosine", "metric")
    return {
        "step": dig.text(step, "step"),
        "status": dig.text(step, "status"),
        "note": dig.text(step, "note"),
        "ops": dig.counts(step, "ops"),
        "dtypes": dig.counts(step, "dtypes"),
        "weights": dig.counts(step, "weights"),
        **{name: dig.number(step, name) for name in numbers},
    }
