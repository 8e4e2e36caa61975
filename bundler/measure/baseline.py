"""`mbundle-baseline.json`: what the output weighed and did when somebody last said "this is right". Committed.

    {"version": 1, "entries": {name: {"budget": {...}, "variants": {name: {"bytes", "firstLoadBytes", "files": {file in
      assets/: bytes}, "accuracy"?, "scores"?: {metric: value}, "loadMs"?, "latencyMs"?, ...}}}}}

It carries the budgets, so that an output folder can be checked where the config is not.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..catalogue import problem
from ..config.schema import BudgetSpec
from ..errors import InputError, OutputError, printable

FILE = "mbundle-baseline.json"
VERSION = 1
Base = dict[str, Any]


def find(root: str, named: str | None) -> Base | None:
    """The baseline: `named` is a file or a git ref that has one committed; None: the project's, if there is one.
    InputError MB542."""
    if named is None:
        path = os.path.join(root, FILE)
        return read(_content(path), path) if os.path.isfile(path) else None
    if os.path.isfile(named):
        return read(_content(named), named)
    return read(_of_ref(root, named), f"{named}:{FILE}")


def read(content: bytes, name: str) -> Base:
    """InputError MB542 unless it is one of ours; `name` is for messages."""
    try:
        value = json.loads(content)
        if value["version"] != VERSION:
            raise ValueError(f"its version is {value['version']}")
        for entry in value["entries"].values():
            budget(entry)
            for one in entry["variants"].values():
                int(one["bytes"]) + sum(map(int, one["files"].values()))
        return dict(value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(problem("MB542", f"It is no baseline: {printable(str(error))}.", file=name)) from error


def budget(entry: Mapping[str, Any]) -> BudgetSpec | None:
    """The limits that a baseline's entry carries."""
    given = entry.get("budget")
    if not given:
        return None
    load = given.get("load")
    scores = tuple((str(name), float(least)) for name, least in given.get("scores", {}).items())
    lists = {"load": tuple(load) if load else None, "warn": tuple(given.get("warn", ())), "scores": scores}
    return BudgetSpec(**{**given, **lists})


def write(root: str, facts: Mapping[str, Any], budgets: Mapping[str, BudgetSpec]) -> str:
    """The file's path. OutputError MB543."""
    entries = {
        name: {"variants": variants} | ({"budget": _plain(budgets[name])} if name in budgets else {})
        for name, variants in facts.items()
    }
    text = json.dumps({"version": VERSION, "entries": entries}, indent=1, sort_keys=True) + "\n"
    path = os.path.join(root, FILE)
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(problem("MB543", f"It cannot be written: {error.strerror}.", file=path)) from error
    return path


def _plain(spec: BudgetSpec) -> dict[str, Any]:
    plain = {key: value for key, value in asdict(spec).items() if value not in (None, ())}
    return plain | ({"scores": dict(spec.scores)} if spec.scores else {})


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(problem("MB542", f"It cannot be read: {error.strerror}.", file=path)) from error


def _of_ref(root: str, ref: str) -> bytes:
    """Never an option of git: a ref cannot begin with a dash."""
    if ref.startswith("-"):
        raise InputError(problem("MB542", "It is neither a file nor a git ref.", file=ref))
    command = ["git", "show", f"{ref}:./{FILE}"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise InputError(problem("MB542", f"git cannot be run: {printable(str(error))}.", file=ref)) from error
    if done.returncode:
        why = printable(done.stderr.decode(errors="replace").strip().splitlines()[-1:][0] if done.stderr else "")
        raise InputError(problem("MB542", f"It is no file, and git says: {why}.", file=ref))
    return done.stdout
