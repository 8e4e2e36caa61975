"""Before the sources are read: checkpoints among them become models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .. import process
from ..config.schema import EntrySpec
from ..export.desk import Desk
from ..export.ensure import Exported, ensure
from ..loaders.verify.metric import own_metric
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

    distilled = entry.export is not None and entry.export.distill is not None
    doing = "distilling" if distilled else f"exporting {entry.source}"
    with job.progress.steps(f"{entry.name}: {doing}") as told:
        desk = Desk(
            job.store,
            job.memo,
            job.store.scratch,
            job.progress.alive,
            told,
            job.options.use_cache,
            met=meet,
            line=lambda text: job.progress.line(f"  {entry.name}: {text}"),
            judge=lambda question: _judged(job, entry, question),
        )
        return ensure(entry, desk)


def _judged(job: Job, entry: EntrySpec, question: Mapping[str, Any]) -> float:
    """The entry's golden metric for what a student gives. ConfigError MB325 where a function of the config fails."""
    value: float = process.run(
        "bundler.loaders.verify.taught:agreement",
        question,
        own_metric(entry, job.config.config_file, job.config.mode),
        label=f"judging {entry.name}",
        tmp=job.scratch,
    )
    return value
