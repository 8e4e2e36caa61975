"""What bench, golden and check found about one variant, in the words of the report.

Figures are plain numbers or objects with the number in `value`, `median` or `metric`; both are read, so that a file with
intervals in it and one without give the same page.
"""

from __future__ import annotations

from typing import Any

from . import dig

FIGURES = (
    "wireBytes",
    "warmBytes",
    "loadMs",
    "warmMs",
    "sessionMs",
    "firstMs",
    "latencyMs",
    "p95Ms",
    "longestMs",
    "blockedMs",
    "memory",
)
_SOURCE = ("source", "baseline", "")


def bench_of(bench: dict[str, Any], entry: str, variant: str) -> dict[str, float]:
    """Figure -> number (ms or bytes) of the last `mbundle bench`; {} when it was not measured."""
    row = _row(bench, entry, variant)
    places = [row, dig.at(row, "figures"), dig.at(row, "metrics"), *_runs(row)]
    found: dict[str, float] = {}
    for place in places:
        for name in FIGURES:
            value = figure(dig.at(place, name))
            if value is not None:
                found.setdefault(name, value)
    return found


def source_of(bench: dict[str, Any], entry: str) -> dict[str, float]:
    """The same for the source, naively loaded, that was measured beside the variants."""
    return next((found for name in _SOURCE if (found := bench_of(bench, entry, name))), {})


def figure(value: Any) -> float | None:
    for key in ((), ("value",), ("median",), ("metric",)):
        found = dig.number(value, *key)
        if found is not None:
            return found
    return None


def waterfall(bench: dict[str, Any], entry: str, variant: str) -> list[dict[str, Any]]:
    """The cold load: [{"name", "kind", "start", "end", "bytes"}], milliseconds from the start of the load."""
    row = _row(bench, entry, variant)
    holders = [row, *_runs(row)]
    listed = next((found for holder in holders if (found := dig.objects(holder, "waterfall"))), [])
    return [
        {
            "name": dig.text(item, "name") or dig.text(item, "file"),
            "kind": dig.text(item, "kind") or "fetch",
            "start": start,
            "end": end,
            "bytes": dig.number(item, "bytes"),
        }
        for item in listed
        if (start := dig.number(item, "start")) is not None and (end := dig.number(item, "end")) is not None
    ]


def golden_of(golden: dict[str, Any], entry: str, variant: str) -> list[dict[str, Any]]:
    """The last golden check: [{"provider", "metric", "value", "cosine", "ok", "note"}], one row a provider."""
    return [
        {
            "provider": provider,
            "metric": dig.text(golden, "entries", entry, "metric"),
            "value": dig.number(row, "value"),
            "cosine": dig.number(row, "cosine"),
            "ok": row.get("ok") is not False,
            "note": dig.text(row, "note") or dig.text(row, "why"),
        }
        for provider, row in dig.items(_row(golden, entry, variant), "providers")
    ]


def _row(value: dict[str, Any], entry: str, variant: str) -> Any:
    """value.entries[entry] holds variants by name, itself or under "variants", as an object or as a list."""
    held = dig.at(value, "entries", entry)
    for place in (held, dig.at(held, "variants")):
        found = dig.at(place, variant)
        if found is not None:
            return found
    return dig.named(dig.objects(held, "variants"), variant) or dig.at(value, "entries", f"{entry}/{variant}")


def _runs(row: Any) -> list[Any]:
    """Where one variant was measured several ways (providers, threads), the first of them speaks for it."""
    runs = dig.at(row, "runs")
    return list(runs.values()) if isinstance(runs, dict) else dig.objects(row, "runs")
