"""The pipeline, from a config to an output folder, as a table of contents: `stages/` has one file a stage.

The main process moves weights from source files into chunks; whatever parses a model is a child process.
"""

from __future__ import annotations

from typing import Any

from .config.schema import BuildConfig
from .report.progress import Progress
from .stages.exports import export_checkpoints
from .stages.job import BuildOptions, Job
from .stages.optimise import run_loaders
from .stages.publish import commit, open_output, stage_files
from .stages.remember import remember
from .stages.sources import read_sources

__all__ = ["BuildOptions", "build"]


def build(config: BuildConfig, options: BuildOptions, progress: Progress) -> dict[str, Any]:
    """Builds what `config` says into its output folder; returns the stats (`stats.build_stats`).

    Whether there is anything to do, `cache.fresh` tells, and the caller asks it: this module imports the whole
    pipeline, which takes longer than the answer.

    An entry that fails does not keep the others from being read and optimised: their results are in the cache then.
    Raises MbundleError with every problem of every entry; the output folder is then as it was.
    """
    with Job(config, options, progress) as job:
        with progress.span("exporting checkpoints"):
            export_checkpoints(job)
        with progress.span("reading sources"):
            sources = read_sources(job)
        with progress.span("running loaders"):
            entries = run_loaders(job, sources)
        with open_output(job, entries) as output:
            shipment = stage_files(job, entries, output)
            with progress.span("committing"):
                committed = commit(job, shipment, output)
        return remember(job, shipment, committed)
