"""The first stage: each entry's model is read and passed through the gates, in children."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from .. import __version__, process
from ..cache import fingerprint, tools
from ..cache.keys import digest_parts
from ..catalogue import problem
from ..config.schema import EntrySpec
from ..errors import InputError, Interrupted, MbundleError, Problem
from ..graph.model import Model
from ..graph.read import ReadPolicy, ReadResult
from ..process import Limits
from .job import Job


def read_sources(job: Job) -> dict[str, ReadResult]:
    """Entry name -> its model, of those that can be read."""
    there = [entry for entry in job.config.entries if entry.source_path]
    return job.gather(there, lambda entry: _read(job, entry))


def refuse_changed_sources(job: Job) -> None:
    """What was read at one time and copied at another must be one model. InputError MB411."""
    changed = sorted(path for path, before in job.met.items() if fingerprint.of(path) != before)
    if changed:
        raise InputError(*(problem("MB411", "It changed while it was built.", file=path) for path in changed))


def _read(job: Job, entry: EntrySpec) -> ReadResult:
    nbytes = os.path.getsize(entry.source_path)
    if entry.export is None:
        job.meet(entry.source_path)
    with job.progress.span(f"{entry.name}: reading {entry.source}"), _about(entry, job.config.root):
        result: ReadResult = process.run(
            "bundler.graph.read:read_model",
            entry.source_path,
            ReadPolicy.of(job.config, entry, job.store.scratch("read")),
            limits=Limits.for_model(nbytes),
            label=f"reading {entry.name}",
            tmp=job.scratch,
        )
    if entry.export is None:
        for path in result.files:
            job.meet(path)
        job.options.met(result.files)
    _check(job, entry, result.model)
    return result


def _check(job: Job, entry: EntrySpec, model: Model) -> None:
    """The gates, unless this graph has passed them before: neither looks at a weight, so that a model which was trained
    on is not asked again (a sixth of a rebuild of 90 MB)."""
    key = digest_parts(
        {
            "gates": f"mbundle {__version__}",
            "graph": hashlib.sha256(model.skeleton).hexdigest(),
            "weights": repr([(weight.dtype, weight.shape, weight.region.length) for weight in model.weights]),
            "external": repr(entry.external_ops),
            **tools.interpreter(),
            **tools.versions(("onnx", "onnxruntime", "protobuf")),
        }
    )
    if job.options.use_cache and job.memo.passed(key):
        return
    with job.progress.span(f"{entry.name}: checking"), _about(entry, job.config.root):
        process.run(
            "bundler.graph.gates:check",
            model,
            entry.external_ops,
            limits=Limits.for_model(model.nbytes),
            label=f"checking {entry.name}",
            tmp=job.scratch,
        )
    job.memo.learn_passed(key)


@contextmanager
def _about(entry: EntrySpec, root: str) -> Iterator[None]:
    """Errors raised inside name the entry, and the file as the user knows it."""

    def named(problem: Problem) -> Problem:
        return replace(problem, entry=problem.entry or entry.name, file=_shown(problem.file, root) or entry.source)

    try:
        yield
    except MbundleError as error:
        kind = Interrupted if isinstance(error, Interrupted) else InputError
        raise kind(*map(named, error.problems)) from error


def _shown(path: str, root: str) -> str:
    """`path` relative to the root where it lies below it."""
    below = os.path.relpath(path, root) if os.path.isabs(path) else path
    return path if below.startswith(os.pardir + os.sep) else below
