"""`mbundle golden record`: what the source models make of the golden inputs, kept in golden/<entry>.npz."""

from __future__ import annotations

import filecmp
import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .. import process
from ..catalogue import problem
from ..config.schema import BuildConfig, EntrySpec
from ..errors import InputError, OutputError, Problem, UsageError, printable
from ..export.known import model_path
from ..graph.read import ReadPolicy, ReadResult
from ..process import Limits
from ..report.progress import Progress

_SECONDS = 3600.0
"""Of wall time that a source may take for all samples."""
_BLOCK = 1 << 20


def golden_file(root: str, entry: str) -> str:
    return os.path.join(root, "golden", f"{entry}.npz")


def record(config: BuildConfig, names: Iterable[str], progress: Progress) -> tuple[list[dict[str, Any]], list[Problem]]:
    """A row an entry, and warnings. MbundleError: nothing of that entry was written."""
    rows, warnings = [], []
    for entry in chosen(config, names):
        with progress.span(f"{entry.name}: running the source on its golden inputs"):
            row = _record(config, entry)
        rows.append(row)
        if row["inputsFrom"] == "generated":
            what = f"{entry.name} has no golden inputs, so its set holds random ones."
            warnings.append(problem("MB520", what, entry=entry.name, severity="warning"))
    return rows, warnings


def chosen(config: BuildConfig, names: Iterable[str]) -> list[EntrySpec]:
    """The entries that a command line names, or all. UsageError MB528."""
    known = {entry.name: entry for entry in config.entries}
    wanted = list(dict.fromkeys(names)) or list(known)
    for name in wanted:
        if name not in known:
            what = f'The config has no entry "{printable(name)}"; it has {", ".join(known)}.'
            raise UsageError(problem("MB528", what))
    return [known[name] for name in wanted]


def _record(config: BuildConfig, entry: EntrySpec) -> dict[str, Any]:
    path = golden_file(config.root, entry.name)
    with tempfile.TemporaryDirectory(prefix="mbundle-golden-") as scratch:
        source = read_source(config, entry, scratch)
        partial = os.path.join(scratch, "golden.npz")
        limits = replace(Limits.for_model(source.model.nbytes), wall=_SECONDS)
        arguments = (source.model, partial, entry.golden, config.config_file, config.mode, digests(source.files))
        try:
            row: dict[str, Any] = process.run(
                "bundler.measure.golden_child:record",
                *arguments,
                limits=limits,
                label=f"running {entry.name}",
                tmp=scratch,
            )
        except InputError as error:
            raise InputError(*(replace(p, entry=entry.name, file=entry.source) for p in error.problems)) from error
        written = _install(partial, path)
    return {"entry": entry.name, "file": os.path.relpath(path, config.root), "written": written} | row


def read_source(config: BuildConfig, entry: EntrySpec, scratch: str) -> ReadResult:
    """The model that an entry is made from; what it needs besides its own files lies in `scratch`."""
    policy = ReadPolicy.of(config, entry, scratch)
    path = model_path(entry, config.root)
    limits = Limits.for_model(os.path.getsize(path))
    target = "bundler.graph.read:read_model"
    label = f"reading {entry.name}"
    read: ReadResult = process.run(target, path, policy, limits=limits, label=label, tmp=scratch)
    return read


def digests(files: Iterable[str]) -> dict[str, str]:
    """File name -> sha256 of what makes up a model."""
    return {os.path.basename(path): _digest(path) for path in files}


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _install(partial: str, path: str) -> bool:
    """Puts the file in its place; False: it is there already."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.isfile(path) and filecmp.cmp(partial, path, shallow=False):
            return False
        descriptor, beside = tempfile.mkstemp(suffix=".tmp", dir=os.path.dirname(path))
        with open(partial, "rb") as source, open(descriptor, "wb") as target:
            os.fchmod(target.fileno(), 0o644)
            while block := source.read(_BLOCK):
                target.write(block)
        os.replace(beside, path)
    except OSError as error:
        raise OutputError(problem("MB409", f"{error.strerror}.", file=path)) from error
    return True
