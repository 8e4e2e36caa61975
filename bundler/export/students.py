"""The checkpoint of a student: from the cache, or trained now, and kept beside the exports.

The key holds the bytes of teacher, data and golden set, every option, and the versions of what trains. What training
needs to go on is kept under that key, too, until it is done: who breaks it off and builds again loses seconds.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..cache import tools
from ..cache.keys import Key, step_key
from ..catalogue import problem
from ..config.checkpoints import checkpoint_files
from ..config.schema import DistillSpec, ExportSpec
from ..errors import InputError, printable
from ..graph.model import Region
from . import kept
from .desk import Desk
from .toolchain import Refused, Toolchain, ask

VERSION = "1"
"""To be raised when the script gives other weights for the same teacher, data and options."""
_SECONDS = 30 * 86_400.0
"""Training has no limit of its own: people see how long it will take, and can break it off."""


@dataclass(frozen=True, slots=True)
class Taught:
    """`folder`: absolute, with the student's files. `cached`: nothing was trained now."""

    folder: str
    result: Mapping[str, Any]
    cached: bool

    @property
    def facts(self) -> dict[str, Any]:
        """For the stats, JSON values."""
        return {**{name: value for name, value in self.result.items() if name not in _OF_EXPORT}, "cached": self.cached}

    @property
    def note(self) -> str:
        """One line for people."""
        sizes, epochs = self.result["parameters"], self.result["epochs"]
        share = f"{_amount(sizes['student'])} of {_amount(sizes['teacher'])} parameters"
        best = self.result["best"]
        kept_one = "" if best == epochs else f", of which the {_ordinal(best)} was best"
        by = "golden set" if self.result["golden"] else "held-out data"
        return f"distilled: {share}, {epochs} epochs{kept_one}; agreement on the {by} {self.result['metric']:.4g}"

    def exported(self, spec: ExportSpec) -> ExportSpec:
        """`spec` about the student's checkpoint."""
        return replace(spec, folder=self.folder, files=checkpoint_files(self.folder))


_OF_EXPORT = ("parts", "exporter", "why", "compared")


def _amount(number: int) -> str:
    return f"{number / 1e6:.1f} M" if number >= 1e6 else f"{number / 1e3:.1f} k"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def teach(spec: ExportSpec, chain: Toolchain, desk: Desk) -> Taught:
    """`spec.distill`: with a teacher's folder. InputError MB357, MB361 to MB364."""
    distill = spec.distill
    assert distill is not None
    key = _key(spec, distill, chain, desk)
    found = kept.find(desk.store, desk.memo, key) if desk.use_cache else None
    if found:
        return Taught(*found, cached=True)
    if desk.only_known:
        raise InputError(problem("MB357", "The student has not been trained with this teacher and data."))
    chain.require_training()
    out, state = desk.scratch("student"), _state(key, desk)
    result = _trained(spec, distill, out, state, desk)
    folder = kept.keep(desk.store, desk.memo, key, out, result)
    shutil.rmtree(state, ignore_errors=True)
    return Taught(folder, result, cached=False)


def _key(spec: ExportSpec, distill: DistillSpec, chain: Toolchain, desk: Desk) -> Key:
    """Data by their order and bytes: names decide nothing. Not where the files lie."""
    names = {f"teacher/{os.path.relpath(path, distill.teacher)}": path for path in checkpoint_files(distill.teacher)}
    names |= {f"data/{index}{os.path.splitext(path)[1]}": path for index, path in enumerate(distill.data)}
    names |= {"student.py": distill.module} if distill.module else {}
    golden = distill.golden
    names |= {"golden.npz": golden.path} if golden else {}
    regions = [Region(os.path.realpath(path), 0, os.path.getsize(path)) for path in names.values()]
    options = {name: getattr(distill, name) for name in ("student", "function", *_NUMBERS)}
    return step_key(
        model="",
        loader="distill",
        version=VERSION,
        options=(*options.items(), ("task", spec.task)),
        tools=chain.versions,
        files=dict(zip(names, desk.memo.sha256_all(regions), strict=True)),
        context={
            "machine": tools.interpreter()["machine"],
            "metric": (golden.digest or golden.metric) if golden else "",
        },
    )


_NUMBERS = ("epochs", "batch_size", "learning_rate", "max_length", "patience", "seed")


def _state(key: Key, desk: Desk) -> str:
    """Folder for what training saves of itself; `gc` knows it as one of the exports."""
    if desk.store.writable and desk.use_cache:
        folder = kept.folder_of(desk.store, key) + "-training"
        with desk.store.guard():
            desk.store.prepare()
            os.makedirs(folder, exist_ok=True)
            os.utime(folder)
            return folder
    return desk.scratch("training")


def _trained(spec: ExportSpec, distill: DistillSpec, out: str, state: str, desk: Desk) -> dict[str, Any]:
    folder = desk.scratch("distill")
    request = os.path.join(folder, "request.json")
    wish = {
        "folder": distill.teacher,
        "out": out,
        "task": spec.task,
        "exporter": spec.exporter,
        "precision": spec.precision,
        "student": dict(distill.student),
        "module": distill.module,
        "function": distill.function,
        "data": list(distill.data),
        "golden": distill.golden.path if distill.golden else "",
        "state": state,
    }
    with open(request, "w", encoding="utf-8") as file:
        json.dump(wish | {name: getattr(distill, name) for name in _NUMBERS}, file)
    try:
        arguments = ["distill", "{pipe}", request]
        result: dict[str, Any] = ask(
            spec.python,
            arguments,
            folder,
            told=desk.told,
            line=desk.line,
            judge=lambda question: _answer(question, desk),
            wall=_SECONDS,
            alive=desk.alive,
        )
    except Refused as refusal:
        raise InputError(_refusal(refusal)) from refusal
    return result | {"golden": distill.golden is not None}


def _answer(question: Mapping[str, Any], desk: Desk) -> None:
    """The golden metric of the outputs that a file holds, in a file that appears whole."""
    value = desk.judge(question)
    partial = question["answer"] + ".part"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(partial, question["answer"])


_CODES = {
    "data": "MB361",
    "student": "MB362",
    "diverged": "MB363",
    "task": "MB352",
    "unknown": "MB352",
    "export": "MB351",
}


def _refusal(refusal: Refused) -> Any:
    what = refusal.what
    what = what if "." in what.split(" ")[0] else what[:1].upper() + what[1:]  # the name of a file keeps its case
    return problem(_CODES.get(refusal.kind, "MB364"), printable(what.rstrip("."), 600) + ".")
