"""Which files serve whom: what entries and variants share is stored and fetched once."""

from __future__ import annotations

from typing import Any

from ...emit.manifest import Manifest


def shared(manifest: Manifest) -> list[dict[str, Any]]:
    """Every file in assets/: {"file", "bytes", "kind", "users", "compressed"}; the heaviest first."""
    users: dict[str, dict[str, None]] = {}
    kinds: dict[str, str] = {}
    for entry, held in manifest.entries.items():
        for asset in held.assets:
            users.setdefault(asset.ref.file, {})[entry] = None
            kinds[asset.ref.file] = "asset"
        for variant in held.variants:
            graphs = {variant.graph.file, *(ref.file for ref in variant.graphs)}
            for file in (variant.graph.file, *(ref.file for ref in variant.downloads)):
                users.setdefault(file, {})[f"{entry}/{variant.name}"] = None
                kinds[file] = "graph" if file in graphs else "weights"
    rows = sorted(manifest.files().values(), key=lambda ref: (-ref.nbytes, ref.file))
    return [
        {
            "file": ref.file,
            "bytes": ref.nbytes,
            "kind": kinds[ref.file],
            "users": sorted(users[ref.file]),
            "compressed": dict(manifest.encodings.get(ref.file, {})),
        }
        for ref in rows
    ]
