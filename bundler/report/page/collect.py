"""Everything that the report shows, as one JSON value: what `--format json` prints and the page holds.

The emitted manifest and graph files are the ground; whatever lies beside them is optional and read as it is found.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ... import __version__
from ...config.schema import BudgetSpec
from ...emit.manifest import Entry, Manifest, Variant, read_manifest
from . import dig
from .facts import Facts, digest_of, gather
from .history import changes
from .measured import Benches, golden_of
from .share import shared
from .steps import steps_of, trials_of
from .tradeoff import pictures
from .weigh import weigh

VERSION = 1
Told = Callable[[str], None]
Budgets = dict[str, BudgetSpec]
"""Entry -> what it may cost."""
_LIMITS = {
    "size": "bytes",
    "first_inference": "firstMs",
    "latency": "latencyMs",
    "latency_p95": "p95Ms",
    "memory": "memory",
    "accuracy": "accuracy",
}
"""Limit -> the figure that it is about."""


def collect(dist: str, budgets: Budgets, history: str | None = None, told: Told = lambda _: None) -> dict[str, Any]:
    """`dist`: an output folder. Bytes and milliseconds. InputError MB420-MB422. Graphs are parsed in children."""
    manifest, facts = read_manifest(dist), gather(dist, history)
    benches = Benches(facts.bench, digest_of(dist))
    entries = []
    for name, entry in sorted(manifest.entries.items()):
        told(name)
        entries.append(_entry(dist, name, entry, manifest, facts, benches, budgets))
    data = {
        "version": VERSION,
        "generator": f"mbundle {__version__}",
        "project": _title(dist, facts),
        "builtBy": manifest.generator,
        "mode": dig.text(facts.stats, "mode"),
        "entries": entries,
        "files": shared(manifest),
        "history": changes(facts.history),
        "warnings": _warnings(facts),
        "bench": benches.taken(),
    }
    return data | {"missing": _missing(data)}


def _entry(
    dist: str, name: str, entry: Entry, manifest: Manifest, facts: Facts, benches: Benches, budgets: Budgets
) -> dict[str, Any]:
    built = dig.named(dig.objects(facts.stats, "entries"), name)
    limits = _limits(budgets.get(name))
    variants = [_variant(dist, name, one, manifest, facts, benches, built) for one in entry.variants]
    source = {
        "name": os.path.basename(dig.text(built, "source")),
        "bytes": dig.number(built, "bytes"),
        "nodes": dig.number(built, "nodes"),
        "ops": dig.counts(built, "ops"),
        "dtypes": dig.counts(built, "dtypes"),
        "weights": dig.counts(built, "weights"),
        "bench": benches.of(name, None),
        "benches": benches.all(name, None),
    }
    found: dict[str, Any] = {
        "name": name,
        "load": entry.load,
        "assets": [{"name": asset.name, "bytes": asset.ref.nbytes} for asset in entry.assets],
        "source": source,
        "budget": limits,
        "budgetOn": _measured_on(budgets.get(name)),
        "variants": variants,
    }
    first, *others = pictures(found, [condition.label for condition in benches.conditions(name)])
    return found | {"tradeoff": first, "tradeoffs": others}


def _variant(
    dist: str, entry: str, variant: Variant, manifest: Manifest, facts: Facts, benches: Benches, built: dict[str, Any]
) -> dict[str, Any]:
    row = dig.named(dig.objects(built, "variants"), variant.name)
    steps = steps_of(row)
    golden = golden_of(facts.golden, entry, variant)
    return {
        "name": variant.name,
        "bytes": variant.measured.nbytes,
        "compressed": _compressed(variant, manifest),
        "opset": variant.requires.opset,
        "needs": ["shader-f16"] if variant.requires.shader_f16 else [],
        **weigh(dist, variant, f"{entry}/{variant.name}"),
        "steps": steps,
        "trials": trials_of(row),
        "accuracy": _accuracy(variant, steps, golden, bool(row)),
        "bench": benches.of(entry, variant.name),
        "benches": benches.all(entry, variant.name),
        "golden": golden,
    }


def _compressed(variant: Variant, manifest: Manifest) -> dict[str, int]:
    """Encoding -> bytes on the wire, where at least one file of the variant has a twin; others count as they are."""
    files = {ref.file: ref.nbytes for ref in variant.downloads}
    kinds = {kind for file in files for kind in manifest.encodings.get(file, {})}
    return {
        kind: sum(manifest.encodings.get(file, {}).get(kind, nbytes) for file, nbytes in files.items())
        for kind in sorted(kinds)
    }


def _accuracy(
    variant: Variant, steps: list[dict[str, Any]], golden: list[dict[str, Any]], built: bool
) -> dict[str, Any]:
    """The best figure there is for "does it still do its job": golden check, the entry's metric, the cosine.

    What is wrong on a provider is not used there; what is wrong everywhere is told as it is."""
    told = [row for row in golden if row["value"] is not None]
    checked = [row for row in told if row["status"] != "wrong"] or told
    if checked:
        metric = golden[0]["metric"]
        names = [name for name in checked[0]["scores"] if name != metric]
        scores = {name: min(row["scores"][name] for row in checked if name in row["scores"]) for name in names}
        value = min(row["value"] for row in checked)
        return {"value": value, "metric": metric or "golden", "from": "golden check", "scores": scores}
    for step in reversed(steps):
        if step["metric"] is not None and step["status"] != "rolled back":
            return {"value": step["metric"], "metric": "golden metric", "from": "build"}
    if variant.measured.cosine is not None:
        return {"value": variant.measured.cosine, "metric": "cosine", "from": "build"}
    if built and not steps:
        return {"value": 1.0, "metric": "", "from": "no step: it is the source"}
    return {"value": None, "metric": "", "from": ""}


def _limits(budget: BudgetSpec | None) -> dict[str, Any]:
    """Budget lines by the name of the figure; "scores": by further metrics of the golden set."""
    if budget is None:
        return {}
    found = {figure: getattr(budget, limit) for limit, figure in _LIMITS.items()}
    found |= {"loadMs": budget.load[0] if budget.load else None, "scores": dict(budget.scores) or None}
    return {figure: value for figure, value in found.items() if value is not None}


def _measured_on(budget: BudgetSpec | None) -> dict[str, str]:
    """Where the budget's times are measured, and on which network its load is."""
    return {"device": budget.device, "network": (budget.load or (0, ""))[1]} if budget else {}


def _title(dist: str, facts: Facts) -> str:
    return os.path.basename(facts.root or os.path.dirname(os.path.abspath(dist))) or "report"


def _warnings(facts: Facts) -> list[dict[str, Any]]:
    fields = ("code", "what", "fix", "entry", "step")
    return [{name: dig.text(row, name) for name in fields} for row in dig.objects(facts.stats, "warnings")]


def _missing(data: dict[str, Any]) -> dict[str, str]:
    """Section -> the command that fills it."""
    variants = [variant for entry in data["entries"] for variant in entry["variants"]]
    wanted = {
        "steps": ("mbundle build", any(variant["steps"] for variant in variants)),
        "latency": ("mbundle bench", any("latencyMs" in variant["bench"] for variant in variants)),
        "waterfall": ("mbundle bench", any(one["load"] for variant in variants for one in variant["benches"])),
        "golden": ("mbundle golden check", any(variant["golden"] for variant in variants)),
        "history": ("mbundle check --history .mbundle/history.jsonl", len(data["history"]) > 1),
    }
    return {section: command for section, (command, there) in wanted.items() if not there}
