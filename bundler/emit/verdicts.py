"""golden/verdicts.json: on which providers golden checks found a variant wrong. Committed; every build heeds it.

A verdict is about one set of emitted bytes (`identity`). When a variant has changed since, it stays left out, and the
build says that nobody has looked again: a wrong answer is worse than a slower one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..catalogue import problem
from ..errors import InputError, Problem, printable
from .manifest import PROVIDERS, Provider, Variant

FILE = os.path.join("golden", "verdicts.json")
VERSION = 1
_SIZE_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """`excluded`: provider -> why, half a sentence."""

    identity: str
    excluded: Mapping[Provider, str]


Verdicts = Mapping[tuple[str, str], Verdict]
"""(entry, variant) -> what is known of it."""


def identity(variant: Variant) -> str:
    """sha256 over the digests of everything that a page downloads for the variant."""
    chunks = [[file.path, [chunk.sha256 for chunk in file.chunks]] for file in variant.data]
    return hashlib.sha256(json.dumps([*(ref.sha256 for ref in variant.graphs), chunks]).encode()).hexdigest()


def providers(verdict: Verdict | None) -> tuple[Provider, ...]:
    """Where the variant may be used."""
    return tuple(one for one in PROVIDERS if verdict is None or one not in verdict.excluded)


def warnings(entry: str, variant: Variant, verdict: Verdict | None) -> list[Problem]:
    """What a build says about it."""
    if verdict is None or not verdict.excluded:
        return []
    name = f"{printable(entry)}/{printable(variant.name)}"
    found = [
        problem("MB525", f"{name} is not used on {provider}: {reason}.", entry=entry, severity="warning")
        for provider, reason in sorted(verdict.excluded.items())
    ]
    if identity(variant) != verdict.identity:
        what = f"{name} has changed since it was left out on {', '.join(sorted(verdict.excluded))}."
        found.append(problem("MB527", what, file=FILE, entry=entry, severity="warning"))
    return found


def read(path: str) -> dict[tuple[str, str], Verdict]:
    """{} where `path` is "" or there is no such file. InputError MB526."""
    try:
        if not path or not os.path.lexists(path):
            return {}
        with open(path, "rb") as file:
            data = file.read(_SIZE_LIMIT + 1)
        value = json.loads(data)
        if len(data) > _SIZE_LIMIT or value["version"] != VERSION:
            raise ValueError("another version of mbundle wrote it")
        rows = [(entry, name, row) for entry, found in value["entries"].items() for name, row in found.items()]
        return {(entry, name): _verdict(row) for entry, name, row in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(problem("MB526", f"It is damaged: {printable(str(error))}.", file=path)) from error


def dump(verdicts: Verdicts) -> bytes:
    """The file's content; a variant that is right everywhere is not in it."""
    entries: dict[str, Any] = {}
    for (entry, name), verdict in verdicts.items():
        if verdict.excluded:
            row = {"identity": verdict.identity, "excluded": dict(verdict.excluded)}
            entries.setdefault(entry, {})[name] = row
    return json.dumps({"version": VERSION, "entries": entries}, sort_keys=True, indent=1).encode() + b"\n"


def _verdict(row: Any) -> Verdict:
    excluded = {provider: printable(str(reason), 200) for provider, reason in row["excluded"].items()}
    if not excluded.keys() <= set(PROVIDERS):
        raise ValueError(f"providers are {', '.join(PROVIDERS)}")
    return Verdict(str(row["identity"]), excluded)
