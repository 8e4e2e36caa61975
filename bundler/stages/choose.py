"""Candidates of an entry: judged on one golden set and one budget, and the smallest that passes ships.

All are compared with the first one's source, whatever their own was: a student is to do what its teacher does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .. import process
from ..built import BuiltEntry
from ..catalogue import problem
from ..config.schema import EntrySpec
from ..errors import Interrupted, MbundleError, OutputError, StepError, printable
from ..loaders.reference import Reference
from ..loaders.verify.metric import own_metric
from ..process import Limits
from ..report.units import size
from .job import Job


@dataclass(frozen=True, slots=True)
class Judged:
    """`metric`: what the golden set says, None when it could not be run. `against`: why it may not ship, or ""."""

    name: str
    nbytes: int
    metric: float | None
    against: str

    def line(self) -> str:
        metric = "" if self.metric is None else f", golden {self.metric:.4g}"
        return f"{self.name}: {size(self.nbytes)}{metric}{f', {self.against}' if self.against else ''}"

    def as_json(self, chosen: str) -> dict[str, object]:
        facts = {"name": self.name, "bytes": self.nbytes, "metric": self.metric, "against": self.against}
        return facts | {"chosen": self.name == chosen}


def choose(job: Job, built: Mapping[str, BuiltEntry]) -> tuple[BuiltEntry, ...]:
    """One for each entry of the config, in its order. StepError MB359 where no candidate passes."""
    return tuple(
        _chosen(job, entry, [built[one.name] for one in entry.candidates], job.references[entry.candidates[0].name])
        if entry.candidates
        else built[entry.name]
        for entry in job.declared.entries
    )


def _chosen(job: Job, entry: EntrySpec, candidates: Sequence[BuiltEntry], reference: Reference) -> BuiltEntry:
    with job.progress.span(f"{entry.name}: judging {len(candidates)} candidates"):
        verdicts = [_judged(job, one, reference) for one in candidates]
    passing = [(one.nbytes, index) for index, one in enumerate(verdicts) if not one.against]
    if not passing:
        what = "; ".join(one.line() for one in verdicts)
        raise StepError(problem("MB359", f"{printable(what, 600)}.", entry=entry.name))
    index = min(passing)[1]
    name = verdicts[index].name
    rest = "; ".join(one.line() for one in verdicts if one.name != name)
    note = f"ships {verdicts[index].line()}, the smallest that passes" + (f" ({rest})" if rest else "")
    winner = candidates[index]
    spec = replace(winner.spec, name=entry.name)
    table = tuple(one.as_json(name) for one in verdicts)
    return replace(winner, spec=spec, notes=(note, *winner.notes), candidates=table)


def _judged(job: Job, built: BuiltEntry, reference: Reference) -> Judged:
    """By its first variant, as budgets do."""
    entry, model = built.spec, built.variants[0].model
    name, config = entry.name.partition(":")[2], job.config
    arguments = (model, reference.baseline(), entry.external_ops, own_metric(entry, config.config_file, config.mode))
    try:
        agreement = process.run(
            "bundler.loaders.verify.examine:examine",
            *arguments,
            limits=Limits.for_model(model.nbytes),
            label=f"judging {entry.name}",
            tmp=job.scratch,
        )
    except (Interrupted, OutputError):
        raise
    except MbundleError as error:
        return Judged(name, model.nbytes, None, error.problems[0].what)
    if agreement is None or agreement.broken:
        return Judged(name, model.nbytes, None, agreement.broken if agreement else "nothing to compare")
    metric = agreement.cosine if agreement.metric is None else agreement.metric
    return Judged(name, model.nbytes, float(metric), _against(entry, model.nbytes, metric))


def _against(entry: EntrySpec, nbytes: int, metric: float) -> str:
    least = entry.golden.at_least if entry.golden else None
    if least is not None and not metric >= least:
        return f"below {least:g}"
    most = entry.budget.size if entry.budget else None
    return f"over its budget of {size(most)}" if most is not None and nbytes > most else ""
