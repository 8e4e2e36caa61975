"""`.mbundle/bench.json`: the last benchmark of each kind, for `check` and `report`.

    {"version": 1, "benches": [{"time", "commit", "manifest", "machine", "settings", "browser", "gpu", "count",
      "entries": {name: {"inputs": {"from", "shapes"}, "rows": [{"variant": name or null for the source, "device",
        "error"?, "waterfall"?, "figures": {key of metrics.METRICS: {"value", "low", "high", "samples"}}}]}}}]}

A kind is a network and a processor (`Settings.key`). What is known about an output that has not changed is kept: a new
benchmark of the same bytes on the same machine widens the interval of the former one where it lies outside, and never
narrows it. So whatever a budget is, a repetition does not turn "within" into "over".
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..cache import atomic
from ..cache.location import WORK_FOLDER, keep_out_of_git, state_folder
from ..catalogue import problem
from ..errors import InputError
from .interval import Interval, interval
from .machine import commit, machine
from .plan import Settings

VERSION = 1
Bench = dict[str, Any]


def path(root: str) -> str:
    return os.path.join(root, WORK_FOLDER, "bench.json")


def digest(dist: str) -> str:
    """sha256 of the manifest: it names every byte of a build."""
    with open(os.path.join(dist, "model-manifest.json"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def described(found: Mapping[str, Any], dist: str, root: str, settings: Settings) -> Bench:
    """The bench that `bench.Bench.run` gave, with what it was taken on."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(root),
        "manifest": digest(dist),
        "machine": machine(),
        "settings": settings.as_json(),
        "key": settings.key(),
        "count": 1,
        **found,
    }


def read(file: str) -> list[Bench]:
    """The benches in `file`. InputError MB515 when it is none of ours."""
    try:
        with open(file, "rb") as content:
            value = json.load(content)
        if value["version"] != VERSION:
            raise ValueError(f"its version is {value['version']}")
        return [dict(one) for one in value["benches"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(problem("MB515", f"It cannot be read: {error}.", file=file)) from error


def known(root: str) -> list[Bench]:
    """Those of the project, [] when there are none that can be read."""
    with contextlib.suppress(InputError):
        return read(path(root))
    return []


def save(root: str, bench: Bench) -> Bench:
    """Joins `bench` with what is known and writes it; returns the joined one. Another output's benches are dropped."""
    same = [one for one in known(root) if one.get("manifest") == bench["manifest"]]
    former = next((one for one in same if one["key"] == bench["key"]), None)
    joined = joined_with(former, bench) if former and former["machine"] == bench["machine"] else bench
    write(root, [*(one for one in same if one["key"] != bench["key"]), joined])
    return joined


def write(root: str, benches: list[Bench]) -> None:
    """A convenience that may fail: the figures were shown already."""
    import orjson

    content = orjson.dumps({"version": VERSION, "benches": benches}, option=orjson.OPT_INDENT_2)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path(root)), exist_ok=True)
        os.makedirs(state_folder(root), exist_ok=True)
        keep_out_of_git(root)
        atomic.write(path(root), content, temporary=atomic.unique(state_folder(root)))


def joined_with(former: Bench, bench: Bench) -> Bench:
    """`bench` with the intervals of `former` where they are wider; rows that only `former` has stay."""
    entries = {**former["entries"]}
    for name, entry in bench["entries"].items():
        old = {(row["variant"], row["device"]): row for row in entries.get(name, {}).get("rows", [])}
        new = {(row["variant"], row["device"]): row for row in entry["rows"]}
        rows = [_row(old.get(key), row) for key, row in new.items()]
        entries[name] = {**entry, "rows": [*rows, *(row for key, row in old.items() if key not in new)]}
    return {**bench, "entries": entries, "count": former["count"] + 1}


def _row(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    figures = {key: _figure((old or {}).get("figures", {}).get(key), value) for key, value in new["figures"].items()}
    return {**new, "figures": figures}


def _figure(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    if old is None:
        return new
    both = interval(new["samples"]).joined(Interval(old["value"], old["low"], old["high"]))
    return {**new, "low": both.low, "high": both.high}


def figure(bench: Bench, entry: str, variant: str | None, device: str, key: str) -> Interval | None:
    """A figure of a bench, if it has it."""
    for row in bench["entries"].get(entry, {}).get("rows", []):
        if row["variant"] == variant and row["device"] == device and key in row["figures"]:
            found = row["figures"][key]
            return Interval(found["value"], found["low"], found["high"], len(found["samples"]))
    return None
