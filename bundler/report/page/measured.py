"""What `.mbundle/bench.json` and `.mbundle/golden.json` say about one variant, in the words of the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ...emit.manifest import Variant
from ...emit.verdicts import identity
from . import dig

FIGURES = (
    "wireBytes",
    "modelBytes",
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
DEVICES = {
    "wasm-threads": "WebAssembly, all threads",
    "wasm": "WebAssembly, 1 thread",
    "webgpu": "WebGPU",
    "native": "native onnxruntime",
}
"""The one that speaks for a variant comes first: what most visitors have."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row of a bench was measured on. `network` "": as fast as it is; `cpu`: times slower."""

    device: str
    network: str
    cpu: float

    @property
    def rank(self) -> tuple[Any, ...]:
        """Nothing slowed down first."""
        known = [*DEVICES]
        place = known.index(self.device) if self.device in known else len(known)
        return self.network != "" or self.cpu != 1, place, self.cpu, self.network, self.device

    @property
    def label(self) -> str:
        slow = f" @ {self.network}" if self.network else ""
        return DEVICES.get(self.device, self.device) + slow + (f", CPU {self.cpu:g}x slower" if self.cpu != 1 else "")


class Benches:
    """Those of this output: a bench of other bytes is passed over."""

    def __init__(self, file: dict[str, Any], manifest: str) -> None:
        self._benches = [one for one in dig.objects(file, "benches") if one.get("manifest") in (manifest, None)]

    def conditions(self, entry: str) -> list[Condition]:
        """What the entry was measured on, the one that speaks for it first."""
        return sorted({condition for condition, _ in self._rows(entry)}, key=lambda one: one.rank)

    def of(self, entry: str, variant: str | None) -> dict[str, float]:
        """Figure -> number (ms or bytes) on the first condition of the entry; {} when it was not measured there.

        `variant` None: the source."""
        first = self.conditions(entry)[:1]
        return self.at(entry, variant, first[0]) if first else {}

    def at(self, entry: str, variant: str | None, condition: Condition) -> dict[str, float]:
        row = self._row(entry, variant, condition)
        return figures(dig.at(row, "figures"))

    def all(self, entry: str, variant: str | None) -> list[dict[str, Any]]:
        """[{"on", "device", "network", "cpu", "figures", "load"}]: each condition that it was measured on. `load`: see
        `waterfall`."""
        found = []
        for condition in self.conditions(entry):
            row = self._row(entry, variant, condition)
            if row:
                told = {"on": condition.label, **asdict(condition), "figures": figures(row.get("figures"))}
                found.append(told | {"load": waterfall(row)})
        return found

    def _row(self, entry: str, variant: str | None, condition: Condition) -> dict[str, Any]:
        held = [row for one, row in self._rows(entry) if one == condition and row.get("variant", "") == variant]
        return held[-1] if held else {}

    def _rows(self, entry: str) -> Iterator[tuple[Condition, dict[str, Any]]]:
        for bench in self._benches:
            network, cpu = dig.text(bench, "key", "network"), dig.number(bench, "key", "cpuThrottle") or 1
            for row in dig.objects(bench, "entries", entry, "rows"):
                if dig.at(row, "figures"):
                    yield Condition(dig.text(row, "device"), network, cpu), row

    def taken(self) -> dict[str, str]:
        """What the last bench says of when and on what it was taken."""
        last = self._benches[-1] if self._benches else {}
        machine = dig.at(last, "machine")
        told = {
            "taken": dig.text(last, "time"),
            "browser": dig.text(last, "browser"),
            "processor": dig.text(machine, "processor"),
        }
        return {name: text for name, text in told.items() if text}


def figures(row: Any) -> dict[str, float]:
    """Numbers, given as they are or as the `value` of an interval."""
    found = {name: figure(dig.at(row, name)) for name in FIGURES}
    return {name: value for name, value in found.items() if value is not None}


def figure(value: Any) -> float | None:
    plain = dig.number(value)
    return dig.number(value, "value") if plain is None else plain


def waterfall(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The cold load: [{"name", "kind", "start", "end", "bytes"}], milliseconds from its start.

    The requests where the bench has them; else the three phases that its figures tell.
    """
    listed = dig.objects(row, "waterfall")
    spans = [(item, dig.number(item, "start"), dig.number(item, "end")) for item in listed]
    found = [_bar(item, start, end) for item, start, end in spans if start is not None and end is not None]
    return found or _phases(figures(row.get("figures")))


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
            "scores": dig.counts(one, "metrics"),
            "note": dig.text(one, "note"),
        }
        for provider, one in dig.items(row, "providers")
    ]
