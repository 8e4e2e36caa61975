"""The build's result as plain data: what `--json` prints, `.mbundle/stats.json` holds and the table shows.

Times live here and never in the output folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .built import BuiltEntry, Emitted, Shipment
from .cache.location import WORK_FOLDER
from .config.schema import BuildConfig
from .graph.generation import generation_of
from .graph.model import Signature
from .loaders.record import StepRecord, weight_bytes
from .report.machine import json_bytes

VERSION = 1


def build_stats(
    config: BuildConfig,
    shipment: Shipment,
    files: Iterable[Emitted],
    warnings: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """See the module's header; sizes in bytes, times in seconds. `seconds` and `fresh` are the caller's."""
    labels = _labels(shipment)
    whole, twins = _apart(files)
    rows = [_file(file, labels, twins) for file in _with_folders(whole)]
    records = [record for entry in shipment.entries for variant in entry.variants for record in variant.records]
    return {
        "version": VERSION,
        "ok": True,
        "mode": config.mode,
        "outDir": os.path.relpath(config.output.dir, config.root),
        "entries": [_entry(entry, shipment) for entry in shipment.entries],
        "files": rows,
        "steps": {"total": len(records), "cached": sum(record.cached for record in records)},
        "warnings": list(warnings),
    }


def write_stats(root: str, stats: Mapping[str, Any]) -> None:
    """`.mbundle/stats.json`: the facts of the last build, times included; a convenience that may fail."""
    with contextlib.suppress(OSError), open(os.path.join(root, WORK_FOLDER, "stats.json"), "wb") as file:
        file.write(json_bytes(stats))


def _entry(entry: BuiltEntry, shipment: Shipment) -> dict[str, Any]:
    return {
        "name": entry.spec.name,
        "source": entry.spec.source,
        "bytes": sum(os.path.getsize(path) for path in entry.files),
        "nodes": entry.source.nodes,
        "ops": dict(entry.source.ops),
        "dtypes": dict(entry.source.dtypes),
        "weights": weight_bytes(entry.source),
        "notes": list(entry.notes),
        **({"export": dict(entry.export)} if entry.export else {}),
        **({"candidates": [dict(row) for row in entry.candidates]} if entry.candidates else {}),
        "variants": [
            {
                "name": variant.name,
                "bytes": shipment.wire_bytes(key),
                "nodes": variant.model.nodes,
                "ops": dict(variant.model.ops),
                "dtypes": dict(variant.model.dtypes),
                "steps": [_step(record) for record in variant.records],
                **_cache(variant.model.signature, entry.source.signature),
            }
            for key, variant in entry.keyed()
        ],
    }


def _cache(signature: Signature, source: Signature) -> dict[str, Any]:
    found = generation_of(signature, source)
    if found is None:
        return {}
    return {"cache": {"bytesPerToken": found.bytes_per_token, "layers": found.layers, "dtype": found.dtype}}


def _step(record: StepRecord) -> dict[str, Any]:
    return {
        "step": record.step,
        "status": record.status,
        "bytesBefore": record.bytes_before,
        "bytesAfter": record.bytes_after,
        "nodesBefore": record.nodes_before,
        "nodesAfter": record.nodes_after,
        "seconds": record.seconds,
        "maxError": record.max_error,
        "cosine": record.cosine,
        "metric": record.metric,
        "note": record.note,
        "ops": record.ops,
        "dtypes": record.dtypes,
        "weights": record.weights,
        **({"details": record.details} if record.details else {}),
    }


def _labels(shipment: Shipment) -> dict[str, tuple[str, str]]:
    """File in assets/ -> (kind, whom it serves)."""
    users: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    for key, graph in shipment.graphs.items():
        own = dict.fromkeys(shipment.chunks(key), "weights") | dict.fromkeys([graph.file, *shipment.sent(key)], "graph")
        kinds |= own
        for name in own:
            users.setdefault(name, []).append("/".join(key))
    return {f"assets/{name}": (kinds[name], _users(users[name])) for name in users}


def _users(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"shared by {len(names)}"


def _apart(files: Iterable[Emitted]) -> tuple[list[Emitted], dict[str, dict[str, int]]]:
    """The files, and of each its compressed twins: suffix -> bytes. A twin is no download more but one instead."""
    emitted = {file.file: file for file in files}
    twins: dict[str, dict[str, int]] = {}
    for name, file in emitted.items():
        base, _, suffix = name.rpartition(".")
        if suffix in ("br", "zst") and base in emitted:
            twins.setdefault(base, {})[suffix] = file.nbytes
    return [file for name, file in emitted.items() if name.rpartition(".")[0] not in twins], twins


def _with_folders(files: Iterable[Emitted]) -> Iterator[Emitted]:
    """The runtime's modules as the one folder that they are, and what is laid out for another loader."""
    modules: dict[str, list[Emitted]] = {}
    for file in files:
        if file.file.startswith(("runtime-", "transformers-")):
            modules.setdefault(file.file.split("/")[0] + "/", []).append(file)
        else:
            yield file
    for folder, held in modules.items():
        yield Emitted(folder, sum(one.nbytes for one in held), any(one.written for one in held))


def _file(
    file: Emitted, labels: Mapping[str, tuple[str, str]], twins: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    kind, users = labels.get(file.file, ("other", ""))
    label = users or _other(file.file)
    row = {"file": file.file, "bytes": file.nbytes, "kind": kind, "label": label, "written": file.written}
    return row | ({"compressed": dict(twins[file.file])} if file.file in twins else {})


def _other(file: str) -> str:
    if file.startswith("assets/"):
        return "manifest" if file.startswith("assets/manifest-") else "asset"
    if file.startswith(("runtime-", "transformers-")):
        return "runtime" if file.startswith("runtime-") else "transformers.js"
    return "manifest" if file.endswith(".json") else "loader"
