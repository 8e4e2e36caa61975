"""After the commit: the cache learns what the build found out. Nothing in here can undo the build."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ..built import Emitted, Shipment
from ..cache import fresh, gc
from ..catalogue import problem
from ..chunks.label import VariantId
from ..emit.staging import is_tidy
from ..emit.transaction import Committed
from ..errors import Problem
from ..report.units import size
from ..stats import build_stats
from .job import Job


def remember(job: Job, shipment: Shipment, committed: Committed) -> dict[str, Any]:
    """Keeps digests, history and the no-change record; returns the stats (`stats.build_stats`)."""
    for warning in (*committed.warnings, *_over_budget(shipment, committed)):
        job.warn(warning)
    job.memo.save()
    job.history.save()
    gc.collect(job.store)
    written = frozenset(committed.written)
    files = [Emitted(name, mark.nbytes, name in written) for name, mark in sorted(committed.files.items())]
    stats = build_stats(job.config, shipment, files, [warning.as_json() for warning in job.warnings])
    _record(job, shipment, committed, stats)
    returning = sum(file.nbytes for file in files if file.written) if committed.update else None
    return stats | {"fresh": False, "seconds": job.progress.elapsed(), "returning": returning}


def _record(job: Job, shipment: Shipment, committed: Committed, stats: dict[str, Any]) -> None:
    out = job.config.output.dir
    if not is_tidy(out):  # the next build has to finish what this one could not
        return
    outputs = {os.path.join(out, name): mark.sha256 for name, mark in committed.files.items()}
    inputs = job.inputs(shipment.entries)
    fresh.record(job.declared, job.watched, inputs=inputs, outputs=outputs, table=stats, memo=job.memo)


def _over_budget(shipment: Shipment, committed: Committed) -> Iterator[Problem]:
    for entry in shipment.entries:
        key, budget = (entry.spec.name, entry.variants[0].name), entry.spec.budget
        weight = _sent(shipment, key, committed)
        if budget is not None and budget.size is not None and weight > budget.size:
            what = f"{'/'.join(key)} weighs {size(weight)}, its budget is {size(budget.size)}."
            yield problem("MB501", what, file=entry.spec.source, entry=entry.spec.name, severity="warning")


def _sent(shipment: Shipment, key: VariantId, committed: Committed) -> int:
    """Bytes of graph and chunks as a browser gets them: of the compressed twin where there is one."""
    files = {**shipment.sent(key), **shipment.chunks(key)}
    twins = [[committed.files.get(f"assets/{name}.{suffix}") for suffix in ("br", "zst")] for name in files]
    return sum(
        min([nbytes, *(twin.nbytes for twin in pair if twin)])
        for nbytes, pair in zip(files.values(), twins, strict=True)
    )
