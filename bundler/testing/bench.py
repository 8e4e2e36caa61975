"""Where a loader is tried: the cases as a build reads them, and passes over them in processes of their own."""

from __future__ import annotations

import atexit
import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .. import process
from ..graph.model import Model
from ..graph.read import ReadPolicy, ReadResult
from ..loaders.verify.baseline import Baseline
from .attempt import BEGUN, Outcome, Request
from .cases import CASES, place

_RUN = "import sys; from bundler.testing.attempt import main; main(*sys.argv[1:])"
READ, RECORD = "bundler.graph.read:read_model", "bundler.loaders.verify.samples:record"


@dataclass(frozen=True, slots=True)
class Case:
    """`files`: path -> sha256 of all that the model was read from, before any loader saw it."""

    model: Model
    baseline: Baseline
    files: Mapping[str, str]


class Bench:
    """Everything is made when it is first asked for, and goes when the interpreter does."""

    def __init__(self, subject: Any, models: Mapping[str, Any], seconds: float) -> None:
        self.subject, self._models, self._seconds = subject, models, seconds

    @cached_property
    def folder(self) -> str:
        folder = os.path.realpath(tempfile.mkdtemp(prefix="mbundle-conformance-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The models by name, read and run in children, as in a build."""
        return {name: self._case(name, given) for name, given in self._models.items()}

    def _case(self, name: str, given: Any) -> Case:
        folder = os.path.join(self.folder, "source", name)
        os.makedirs(folder)
        path = place(name, given, folder)
        read: ReadResult = process.run(READ, path, ReadPolicy(os.path.dirname(path), folder), label=f"reading {name}")
        samples = os.path.join(self.folder, f"{name}.npz")
        baseline = process.run(RECORD, read.model, samples, "", label=f"running {name}")
        return Case(read.model, baseline, {file: sha256(file) for file in read.files})

    @cached_property
    def first(self) -> dict[str, Outcome]:
        return self.tried("first", self.subject, hash_seed="1")

    @cached_property
    def second(self) -> dict[str, Outcome]:
        """In another order, folder and process, under another hash seed."""
        return self.tried("the second of two folders", self.subject, hash_seed="2", backwards=True)

    def tried(self, folder: str, subject: Any, *, hash_seed: str, backwards: bool = False) -> dict[str, Outcome]:
        """What `subject` makes of every case. A process that ends before the end is told at the case that ended it."""
        scratch = os.path.join(self.folder, folder)
        os.makedirs(scratch)
        cases = {name: (case.model, case.baseline) for name, case in self.cases.items()}
        order = dict(reversed(cases.items())) if backwards else cases
        request, replies = os.path.join(scratch, "request"), os.path.join(scratch, "replies")
        with open(request, "wb") as file:
            pickle.dump(Request(pickle.dumps(subject), order, scratch), file)
        end = self._run([request, replies], hash_seed, scratch)
        found = dict(_replies(replies))
        return {name: _settled(found.get(name), end) for name in cases}

    def _run(self, arguments: list[str], hash_seed: str, folder: str) -> str:
        """How the process ended, half a sentence."""
        environment = self.environment() | {"PYTHONHASHSEED": hash_seed, "TMPDIR": folder}
        command = [sys.executable, "-c", _RUN, *arguments]
        try:
            done = subprocess.run(
                command, env=environment, cwd=folder, capture_output=True, text=True, timeout=self._seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return f"it takes more than {self._seconds:g} s"
        said = done.stderr.strip().splitlines()
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        return f"its process ended with {how}{f': {said[-1]}' if said else ''}"

    @staticmethod
    def environment() -> dict[str, str]:
        """For a process that shall find what this one has imported."""
        return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def _replies(path: str) -> Iterator[tuple[str, Outcome]]:
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except (EOFError, pickle.UnpicklingError):  # cut off with the process that wrote it
                return


def _settled(outcome: Outcome | None, end: str) -> Outcome:
    return Outcome(failed=end) if outcome is None or outcome == BEGUN else outcome


def sha256(path: str) -> str:
    """Of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def chosen(names: tuple[str, ...], own: Mapping[str, Any]) -> dict[str, Any]:
    """Case -> the author's own model, or None for one of ours. Raises ValueError for a name that there is not."""
    unknown = sorted(set(names) - set(CASES))
    if unknown:
        raise ValueError(f"there is no case {unknown[0]!r}: cases are {', '.join(CASES)}")
    return {**dict.fromkeys(names or CASES), **own}
