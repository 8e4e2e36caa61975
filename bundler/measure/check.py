"""Budgets against what was built: facts of the output, figures of a benchmark, a baseline, and verdicts on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..config.schema import BudgetSpec
from ..emit.manifest import Manifest, read_manifest
from ..emit.verdicts import identity
from . import benchfile, goldenfile, history
from .baseline import Base
from .interval import Interval
from .sizes import Weight, variants, weigh
from .verdict import FAILS, Verdict, growth, judge

TIMED = {
    "load": "loadMs",
    "first_inference": "firstMs",
    "latency": "latencyMs",
    "latency_p95": "p95Ms",
    "memory": "memory",
}
"""Limit -> key of `metrics.METRICS`: those that need a benchmark."""
_KEPT = {"loadMs", "warmMs", "firstMs", "latencyMs", "p95Ms", "memory"}
_DEVICE = "wasm"
TRENDS = ("bytes", "accuracy", "latencyMs", "loadMs")
Facts = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Need:
    """A figure that a limit asks for. `network` None: as fast as it is."""

    entry: str
    variant: str
    device: str
    network: str | None
    key: str


def needs(manifest: Manifest, budgets: Mapping[str, BudgetSpec]) -> Iterator[tuple[str, Need]]:
    """(name of the limit, what it needs) of the first variant of every entry."""
    for entry, spec in sorted(budgets.items()):
        if entry in manifest.entries:
            first = manifest.entries[entry].variants[0].name
            for name, key in TIMED.items():
                if getattr(spec, name) is not None:
                    network = spec.load[1] or None if name == "load" and spec.load else None
                    yield name, Need(entry, first, spec.device, network, key)


def measured(benches: Sequence[benchfile.Bench], digest: str, need: Need) -> Interval | None:
    """The figure, if one of `benches` has it for this very output; on a processor that is not slowed down first."""
    mine = [one for one in benches if one.get("manifest") == digest and one["key"]["network"] == need.network]
    for one in sorted(mine, key=lambda bench: float(bench["key"]["cpuThrottle"])):
        found = benchfile.figure(one, need.entry, need.variant, need.device, need.key)
        if found is not None:
            return found
    return None


class Check:
    """One check of the output folder `dist`."""

    def __init__(
        self,
        dist: str,
        root: str,
        budgets: Mapping[str, BudgetSpec],
        base: Base | None,
        benches: Sequence[benchfile.Bench],
    ) -> None:
        self.dist, self.root, self.budgets, self.benches = dist, root, budgets, benches
        self.manifest = read_manifest(dist)
        self.digest = benchfile.digest(dist)
        self.base: Mapping[str, Any] = base["entries"] if base else {}
        self.weights = {
            (name, one.name): weigh(self.manifest, dist, name, one) for name, _, one in variants(self.manifest)
        }
        self._accuracy = goldenfile.accuracy(root)

    def result(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Plain data for every format. `rows`: of the history, for trends."""
        verdicts = list(self.verdicts())
        return {
            "version": 1,
            "ok": not any(one.state in FAILS for one in verdicts),
            "manifest": self.digest,
            "compared": bool(self.base),
            "verdicts": [_plain(one) for one in verdicts],
            "entries": {
                name: {one.name: self._changes(name, one.name, rows) for one in entry.variants}
                for name, entry in sorted(self.manifest.entries.items())
            },
        }

    def facts(self) -> Facts:
        """What a baseline and a line of the history hold."""
        found: Facts = {name: {} for name in self.manifest.entries}
        for (entry, variant), weight in self.weights.items():
            row: dict[str, Any] = {"bytes": weight.nbytes, "firstLoadBytes": weight.first_load, "files": weight.files}
            score, scores = self._score(entry, variant), self._scores(entry, variant)
            one = next(v for v in self.manifest.entries[entry].variants if v.name == variant)
            optional = {
                "accuracy": score,
                "scores": scores or None,
                "cosine": one.measured.cosine,
                **self._figures(entry, variant),
            }
            found[entry][variant] = row | {key: value for key, value in optional.items() if value is not None}
        return found

    def _figures(self, entry: str, variant: str) -> dict[str, float | None]:
        device = self.budgets[entry].device if entry in self.budgets else _DEVICE
        plain = {key: measured(self.benches, self.digest, Need(entry, variant, device, None, key)) for key in _KEPT}
        return {key: round(found.value, 1) if found else None for key, found in plain.items()}

    def verdicts(self) -> Iterator[Verdict]:
        for entry in sorted(self.manifest.entries):
            spec = self.budgets.get(entry)
            if spec is not None:
                yield from self._sizes(entry, spec)
                yield from self._timed(entry, spec)
                yield from self._scored(entry, spec)
                yield from self._grown(entry, spec)

    def _sizes(self, entry: str, spec: BudgetSpec) -> Iterator[Verdict]:
        first = self.manifest.entries[entry].variants[0].name
        weight = self.weights[entry, first]
        values = {"size": (weight.nbytes, "bytes"), "first_load": (weight.first_load, "firstLoadBytes")}
        for name, (value, key) in values.items():
            limit = getattr(spec, name)
            if limit is not None:
                state = judge(limit, Interval.exact(value), warns=name in spec.warn)
                base = self._base(entry, first, key)
                yield Verdict(entry, first, name, "bytes", limit, Interval.exact(value), state, base)

    def _timed(self, entry: str, spec: BudgetSpec) -> Iterator[Verdict]:
        for name, need in needs(self.manifest, {entry: spec}):
            limit = spec.load[0] if name == "load" and spec.load else getattr(spec, name)
            value = measured(self.benches, self.digest, need)
            state = judge(limit, value, warns=name in spec.warn)
            note = f"@ {need.network}" if need.network else ("" if value else "not measured: run `mbundle bench`")
            base = self._base(entry, need.variant, need.key) if need.network is None else None
            yield Verdict(
                entry, need.variant, name, "bytes" if name == "memory" else "ms", limit, value, state, base, note
            )

    def _scored(self, entry: str, spec: BudgetSpec) -> Iterator[Verdict]:
        first = self.manifest.entries[entry].variants[0].name
        scores = self._scores(entry, first)
        limits = [("", spec.accuracy, self._score(entry, first))] if spec.accuracy is not None else []
        for metric, limit, score in [*limits, *((name, least, scores.get(name)) for name, least in spec.scores)]:
            value = None if score is None else Interval.exact(score)
            state = judge(limit, value, at_least=True, warns="accuracy" in spec.warn)
            note = "" if value else "not measured: run `mbundle golden check`"
            base = self._base(entry, first, "scores", metric) if metric else self._base(entry, first, "accuracy")
            yield Verdict(entry, first, "accuracy", "score", limit, value, state, base, note, metric)

    def _grown(self, entry: str, spec: BudgetSpec) -> Iterator[Verdict]:
        """Of every variant that the baseline knows: one that is new has nothing to have grown from."""
        for one in self.manifest.entries[entry].variants if spec.growth is not None else ():
            before = self._base(entry, one.name, "bytes")
            if before is not None and spec.growth is not None:
                now = self.weights[entry, one.name].nbytes
                value = Interval.exact(growth(now, before))
                state = judge(spec.growth, value, warns="growth" in spec.warn)
                yield Verdict(entry, one.name, "growth", "percent", spec.growth, value, state, None)

    def _score(self, entry: str, variant: str) -> float | None:
        """The golden set's first metric."""
        row = self._golden(entry, variant)
        return float(row["value"]) if row else None

    def _scores(self, entry: str, variant: str) -> dict[str, float]:
        """Its further ones."""
        row = self._golden(entry, variant)
        return {name: float(value) for name, value in row.get("scores", {}).items() if name != row["metric"]}

    def _golden(self, entry: str, variant: str) -> dict[str, Any]:
        """What was measured on these very bytes; {} for nothing."""
        row = self._accuracy.get(entry, {}).get(variant)
        one = next(v for v in self.manifest.entries[entry].variants if v.name == variant)
        return row if row and row["identity"] == identity(one) else {}

    def _base(self, entry: str, variant: str, *keys: str) -> float | None:
        value: Any = self.base.get(entry, {}).get("variants", {}).get(variant)
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return None if value is None else float(value)

    def _changes(self, entry: str, variant: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        weight: Weight = self.weights[entry, variant]
        before = self.base.get(entry, {}).get("variants", {}).get(variant)
        known = before["files"] if before else {}
        new = {file: nbytes for file, nbytes in weight.files.items() if file not in known}
        change = {"baseBytes": before["bytes"], "returning": sum(new.values()), "newFiles": new} if before else {}
        seen = {key: history.trend(rows, entry, variant, key) for key in TRENDS}
        return {
            "bytes": weight.nbytes,
            "firstLoadBytes": weight.first_load,
            **change,
            "trend": {key: values for key, values in seen.items() if len(values) > 1},
        }


def _plain(one: Verdict) -> dict[str, Any]:
    value = {"value": one.value.value, "low": one.value.low, "high": one.value.high} if one.value else {}
    row = {key: found for key, found in asdict(one).items() if key != "value" and found not in (None, "")}
    return row | value


def with_flags(
    budgets: Mapping[str, BudgetSpec], names: Sequence[str], flags: Mapping[str, Any]
) -> dict[str, BudgetSpec]:
    """`flags`: limits of the command line; they stand for those of every entry."""
    if not flags:
        return dict(budgets)
    return {name: replace(budgets.get(name, BudgetSpec()), **flags) for name in names}


Runner = Callable[[Sequence[str], str | None, tuple[str, ...]], None]
"""(entries, network, devices): measures them and saves what it found."""


def complete(check: Check, run: Runner) -> bool:
    """Has everything measured that a limit asks for and no benchmark of this output has; whether there was anything."""
    missing: dict[str | None, tuple[set[str], set[str]]] = {}
    for _, need in needs(check.manifest, check.budgets):
        if measured(check.benches, check.digest, need) is None:
            entries, devices = missing.setdefault(need.network, (set(), set()))
            entries.add(need.entry)
            devices.add(need.device)
    for network, (entries, devices) in missing.items():
        run(sorted(entries), network, tuple(sorted(devices)))
    return bool(missing)
