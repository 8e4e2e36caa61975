"""The model of a checkpoint: from the cache, or exported now.

The key holds the checkpoint's bytes, the task, the options and the versions of what exports. To know these the other
Python is asked, but nothing heavy is imported there: a build that finds its export in the cache starts no torch.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..cache import tools
from ..cache.keys import Key, step_key
from ..cache.memo import Memo
from ..catalogue import problem
from ..config.checkpoints import assets_of, checkpoint_files
from ..config.schema import EntrySpec, ExportSpec
from ..errors import InputError, printable
from ..graph.model import Region
from . import kept
from .agreement import accepted, story
from .desk import Desk
from .students import Taught, teach
from .toolchain import Refused, Toolchain, apart, ask, probe

VERSION = "3"
"""To be raised when the script gives other files for the same checkpoint."""

_one = threading.Lock()
"""Two exports at a time would need twice the memory, and two entries of one checkpoint need one export."""


@dataclass(frozen=True, slots=True)
class Exported:
    """`entry`: with its source_path and assets. `inputs`: absolute paths of what decided what came out. `facts`: for
    the stats, JSON values. `note`: one line for people."""

    entry: EntrySpec
    inputs: tuple[str, ...]
    facts: dict[str, Any]
    note: str


@dataclass(frozen=True, slots=True)
class Made:
    """`folder`: absolute, with the files that `result["parts"]` names. `spec`: with a folder, if it had none. `read`:
    absolute paths of all that decided what came out. `taught`: of a student."""

    spec: ExportSpec
    folder: str
    result: Mapping[str, Any]
    chain: Toolchain
    cached: bool
    read: tuple[str, ...]
    taught: Taught | None = None

    @property
    def note(self) -> str:
        how = f"{self.taught.note}; " if self.taught else ""
        return how + story(self.result, self.chain.versions)

    @property
    def facts(self) -> dict[str, Any]:
        """For the stats, JSON values."""
        more = {"distilled": self.taught.facts} if self.taught else {}
        result = {name: value for name, value in self.result.items() if name in OUTCOME}
        return {"cached": self.cached, "versions": dict(self.chain.versions), **result, **more}


OUTCOME = ("parts", "task", "exporter", "precision", "why", "apart", "compared")
WHOLE = "model.onnx"
"""Of several models the one that holds the others: encoder and decoder in one graph (`script/mbundle_export/join`)."""


def ensure(entry: EntrySpec, desk: Desk) -> Exported:
    """The entry with a model to read. InputError MB35x."""
    assert entry.export is not None
    try:
        made = export(entry.export, desk)
        path = _part(made)
    except InputError as error:
        named = (replace(one, entry=entry.name, file=one.file or entry.source) for one in error.problems)
        raise InputError(*named) from error
    assets = with_more(with_more(entry.assets, assets_of(made.spec)), _tokenizer(made.folder))
    spec = replace(made.spec, files=made.read)
    inputs = (*made.read, *made.chain.files)
    return Exported(replace(entry, source_path=path, export=spec, assets=assets), inputs, made.facts, made.note)


def export(spec: ExportSpec, desk: Desk) -> Made:
    """All that a checkpoint exports to; a student is trained first. InputError MB35x, MB36x."""
    with _one:
        folder = desk.scratch("export")
        chain = probe(spec.python, folder, desk.alive)
        spec = _there(spec, folder, desk)
        desk.met(spec.files)
        read, taught = spec.files, None
        if spec.distill:
            taught = teach(spec, chain, desk)
            spec = taught.exported(spec)
            if taught.result["parts"]:  # of a module, which only its training could export
                accepted(taught.result)
                return Made(spec, taught.folder, taught.result, chain, taught.cached, read, taught)
        key = _key(spec, chain, desk.memo)
        found = kept.find(desk.store, desk.memo, key) if desk.use_cache else None
        where, result = found or _made(spec, chain, key, desk)
        return Made(spec, where, result, chain, found is not None, read, taught)


def with_more(assets: tuple[str, ...], paths: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `paths` whose names are still free come after."""
    named = {os.path.basename(path) for path in assets}
    return (*assets, *(path for path in paths if os.path.basename(path) not in named))


def _tokenizer(folder: str) -> tuple[str, ...]:
    """The fast form of a tokenizer, where the checkpoint has the slow one only."""
    path = os.path.join(folder, "tokenizer.json")
    return (path,) if os.path.isfile(path) else ()


def _there(spec: ExportSpec, folder: str, desk: Desk) -> ExportSpec:
    """With the checkpoint, or the teacher's, on this machine."""
    if spec.distill is None:
        return spec if spec.folder else _fetched(spec, folder, desk)
    if spec.distill.teacher:
        return spec
    found = _fetched(spec, folder, desk)
    distill = replace(spec.distill, teacher=found.folder)
    return replace(spec, distill=distill, files=(*found.files, *spec.files))


def _fetched(spec: ExportSpec, folder: str, desk: Desk) -> ExportSpec:
    """A checkpoint of the Hub, now in its local cache. InputError MB354."""
    repo, revision = spec.hub
    if desk.only_known:
        raise InputError(problem("MB357", f"{repo} was not fetched."))
    desk.told(f"fetching {repo}")
    try:
        found = ask(spec.python, ["fetch", "{pipe}", repo, revision], folder, alive=desk.alive, offline=False)
    except Refused as refusal:
        raise InputError(problem("MB354", f"{repo} cannot be fetched: {refusal.what}.")) from refusal
    return replace(spec, folder=found["folder"], files=checkpoint_files(found["folder"]))


def _key(spec: ExportSpec, chain: Toolchain, memo: Memo) -> Key:
    names = {os.path.relpath(path, spec.folder).replace(os.sep, "/"): path for path in spec.files}
    regions = [Region(os.path.realpath(path), 0, os.path.getsize(path)) for path in names.values()]
    return step_key(
        model="",
        loader="export",
        version=VERSION,
        options=(("task", spec.task), ("exporter", spec.exporter), *_more_options(spec)),
        tools=chain.deciding(spec.exporter),
        files=dict(zip(names, memo.sha256_all(regions), strict=True)),
        context={"machine": tools.interpreter()["machine"]},
    )


def _more_options(spec: ExportSpec) -> tuple[tuple[str, str], ...]:
    return (("precision", spec.precision),) if spec.exporter == "genai" else ()


def _made(spec: ExportSpec, chain: Toolchain, key: Key, desk: Desk) -> tuple[str, dict[str, Any]]:
    if desk.only_known:
        raise InputError(problem("MB357", "Nothing in the cache was made from this checkpoint as it is."))
    chain.require(spec.exporter)
    folder, out = desk.scratch("export"), desk.scratch("exported")
    request = os.path.join(folder, "request.json")
    wish = {"folder": spec.folder, "out": out}
    wish |= {"task": spec.task, "exporter": spec.exporter, "precision": spec.precision}
    with open(request, "w", encoding="utf-8") as file:
        json.dump(wish, file)
    try:
        arguments = ["export", "{pipe}", request]
        result: dict[str, Any] = ask(spec.python, arguments, folder, told=desk.told, alive=desk.alive)
    except Refused as refusal:
        raise InputError(_refusal(refusal, spec)) from refusal
    accepted(result)
    return kept.keep(desk.store, desk.memo, key, out, result), result


_CODES = {"task": "MB352", "differs": "MB353", "versions": "MB350"}


def _refusal(refusal: Refused, spec: ExportSpec) -> Any:
    what = refusal.what[:1].upper() + refusal.what[1:]
    fix = None
    if refusal.kind == "unknown":
        fix = "Name a Python with newer transformers, torch and onnxscript by export_python; torch exports there alone."
    elif refusal.kind == "versions":
        fix = apart()
    elif refusal.kind == "unsupported" and spec.exporter == "genai":
        fix = 'Leave exporter="genai" out: optimum or torch may know it.'
    elif refusal.kind == "unsupported":
        fix = 'Try exporter="dynamo", or export the model to ONNX yourself and name that file.'
    return problem(_CODES.get(refusal.kind, "MB351"), what.rstrip(".") + ".", fix=fix)


def _part(made: Made) -> str:
    """Absolute path of the model that the entry stands for. InputError MB355."""
    wanted, parts = made.spec.part, made.result["parts"]
    names = [name.removesuffix(".onnx") for name in parts]
    if not wanted and len(parts) == 1:
        return os.path.join(made.folder, parts[0])
    if not wanted and WHOLE in parts:
        return os.path.join(made.folder, WHOLE)
    if wanted in names:
        return os.path.join(made.folder, f"{wanted}.onnx")
    what = f"It exports to {', '.join(names)}" + (f', not to "{wanted}".' if wanted else ".")
    apart = made.result.get("apart")
    what += f" They cannot be one entry: {printable(apart, 200)}." if apart and not wanted else ""
    raise InputError(problem("MB355", what, fix=f'Make an entry of each and say which: Entry(part="{names[-1]}").'))
