"""What a build did, seen from outside: which entries are others now, which variants were made and which were known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]
"""Entry name -> what the manifest says of it."""


def entries(before: Manifest, after: Manifest) -> tuple[str, ...]:
    """Entries of `after` whose files differ, or that are new. Sorted."""
    return tuple(sorted(name for name, entry in after.items() if before.get(name) != entry))


def variants(before: Manifest, after: Manifest, stats: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(rebuilt, cached) variants as "entry/variant", in the order of the config: rebuilt is one of which a step ran, or
    whose files differ."""
    rebuilt: list[str] = []
    cached: list[str] = []
    for entry in stats["entries"]:
        for variant in entry["variants"]:
            key = entry["name"], variant["name"]
            ran = any(step["status"] != "cached" for step in variant["steps"]) and not stats["fresh"]
            (rebuilt if ran or _find(before, *key) != _find(after, *key) else cached).append("/".join(key))
    return tuple(rebuilt), tuple(cached)


def _find(manifest: Manifest, entry: str, variant: str) -> Any:
    found = manifest.get(entry) or {}
    return next((one for one in found.get("variants", ()) if one.get("name") == variant), None)
