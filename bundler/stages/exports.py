"""Before the sources are read: checkpoints among them become models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..config.schema import EntrySpec
from ..export.ensure import Desk, Exported, ensure
from .job import Job


def export_checkpoints(job: Job) -> None:
    """`job.config` then names a model for every entry, except for those that cannot be exported."""
    wanted = [entry for entry in job.config.entries if entry.export]
    job.exports = job.gather(wanted, lambda entry: _export(job, entry))
    entries = (job.exports[one.name].entry if one.name in job.exports else one for one in job.config.entries)
    job.config = replace(job.config, entries=tuple(entries))


def _export(job: Job, entry: EntrySpec) -> Exported:
    def meet(paths: Iterable[str]) -> None:
        for path in paths:
            job.meet(path)
        job.options.met(paths)

    with job.progress.steps(f"{entry.name}: exporting {entry.source}") as told:
        desk = Desk(job.store, job.memo, job.store.scratch, job.progress.alive, told, job.options.use_cache, met=meet)
        return ensure(entry, desk)
