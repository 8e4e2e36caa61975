"""What `.mbundle/bench.json` and `.mbundle/golden.json` say about one variant, in the words of the report."""

from __future__ import annotations

from typing import Any

from ...emit.manifest import Variant
from ...emit.verdicts import identity
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
DEVICES = ("wasm-threads", "wasm", "webgpu", "native")
"""The one that speaks for a variant comes first: what most visitors have."""


class Benches:
    """Those of this output: a bench of other bytes is passed over."""

    def __init__(self, file: dict[str, Any], manifest: str) -> None:
        self._benches = [one for one in dig.objects(file, "benches") if one.get("manifest") in (manifest, None)]

    def rows(self, entry: str, variant: str | None) -> list[dict[str, Any]]:
        """Its rows, a device each, of the last bench that has any. `variant` None: the source."""
        for bench in reversed(self._benches):
            held = dig.objects(bench, "entries", entry, "rows")
            rows = [row for row in held if row.get("variant", "") == variant and dig.at(row, "figures")]
            if rows:
                return sorted(rows, key=_rank)
        return []

    def of(self, entry: str, variant: str | None) -> dict[str, float]:
        """Figure -> number (ms or bytes) on the first device; {} when it was not measured."""
        rows = self.rows(entry, variant)
        return figures(dig.at(rows[0], "figures")) if rows else {}

    def devices(self, entry: str, variant: str) -> list[dict[str, Any]]:
        """[{"device", "figures"}]."""
        return [
            {"device": dig.text(row, "device"), "figures": figures(row.get("figures"))}
            for row in self.rows(entry, variant)
        ]

    def taken(self) -> dict[str, str]:
        """What the last bench says of how it was taken."""
        last = self._benches[-1] if self._benches else {}
        settings, machine = dig.at(last, "settings"), dig.at(last, "machine")
        network, cpu = dig.text(settings, "network") or "as fast as it is", dig.number(settings, "cpu") or 1
        told = {
            "taken": dig.text(last, "time"),
            "browser": dig.text(last, "browser"),
            "processor": dig.text(machine, "processor"),
            "network": network if last else "",
            "CPU": f"{cpu:g} times slower" if cpu != 1 else "",
        }
        return {name: text for name, text in told.items() if text}


def figures(row: Any) -> dict[str, float]:
    """Numbers, given as they are or as the `value` of an interval."""
    found = {name: figure(dig.at(row, name)) for name in FIGURES}
    return {name: value for name, value in found.items() if value is not None}


def figure(value: Any) -> float | None:
    plain = dig.number(value)
    return dig.number(value, "value") if plain is None else plain


def waterfall(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cold load: [{"name", "kind", "start", "end", "bytes"}], milliseconds from its start.

    The requests where the bench has them; else the three phases that its figures tell.
    """
    listed = next((found for row in rows if (found := dig.objects(row, "waterfall"))), [])
    spans = [(item, dig.number(item, "start"), dig.number(item, "end")) for item in listed]
    found = [_bar(item, start, end) for item, start, end in spans if start is not None and end is not None]
    return found or _phases(figures(dig.at(rows[0], "figures")) if rows else {})


def _bar(item: dict[str, Any], start: float, end: float) -> dict[str, Any]:
    name, kind = dig.text(item, "name") or dig.text(item, "file"), dig.text(item, "kind") or "fetch"
    return {"name": name, "kind": kind, "start": start, "end": end, "bytes": dig.number(item, "bytes")}


def _phases(known: dict[str, float]) -> list[dict[str, Any]]:
    load, session, first = known.get("loadMs"), known.get("sessionMs", 0.0), known.get("firstMs", 0.0)
    if load is None:
        return []
    fetched = max(load - session, 0.0)
    phases = [
        ("download and verify", "fetch", 0.0, fetched, known.get("wireBytes")),
        ("session", "session", fetched, load, None),
        ("first inference", "run", load, load + first, None),
    ]
    keys = ("name", "kind", "start", "end", "bytes")
    return [dict(zip(keys, phase, strict=True)) for phase in phases if phase[3] > phase[2]]


def golden_of(golden: dict[str, Any], entry: str, variant: Variant) -> list[dict[str, Any]]:
    """The last golden check of these very bytes, one row a provider."""
    held = dig.at(golden, "entries", entry)
    row = dig.at(held, "variants", variant.name)
    if dig.text(row, "identity") != identity(variant):
        return []
    return [
        {
            "provider": provider,
            "status": dig.text(one, "status"),
            "metric": dig.text(held, "metric"),
            "value": dig.number(one, "value"),
            "cosine": dig.number(one, "cosine"),
            "note": dig.text(one, "note"),
        }
        for provider, one in dig.items(row, "providers")
    ]


def _rank(row: dict[str, Any]) -> int:
    device = dig.text(row, "device")
    return DEVICES.index(device) if device in DEVICES else len(DEVICES)
